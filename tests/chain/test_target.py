"""What is sent to an endpoint, from its URL."""

import pytest

from ctrip.chain.target import is_near, target_of


def line(url: str, name: str) -> str | None:
    head = target_of(url).head.decode("ascii")
    fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:])
    return fields.get(name)


def test_a_request_is_spelled_as_the_rfc_has_it() -> None:
    target = target_of("https://rpc.test/v3/key")
    assert (target.host, target.port, target.is_tls) == ("rpc.test", 443, True)
    assert target.request(b"[]") == (
        b"POST /v3/key HTTP/1.1\r\n"
        b"Host: rpc.test\r\n"
        b"User-Agent: ctrip\r\n"
        b"Accept: */*\r\n"
        b"Accept-Encoding: gzip\r\n"
        b"Content-Type: application/json\r\n"
        b"Content-Length: 2\r\n"
        b"\r\n"
        b"[]"
    )


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("http://a.test", "/"),
        ("http://a.test?key=1", "/?key=1"),
        ("http://a.test/x?key=a/b&c=%2F#part", "/x?key=a/b&c=%2F"),
        ("http://a.test/ü", "/%C3%BC"),
        ("http://a.test/a\r\nb: c", "/ab:%20c"),
    ],
)
def test_a_path_is_sent_as_it_is_but_for_what_no_request_may_hold(url: str, path: str) -> None:
    assert target_of(url).head.startswith(f"POST {path} HTTP/1.1\r\n".encode())


@pytest.mark.parametrize(
    ("url", "host", "port", "named"),
    [
        ("http://a.test:80/", "a.test", 80, "a.test"),
        ("http://A.test:8545/", "a.test", 8545, "a.test:8545"),
        ("https://[::1]:8545/", "::1", 8545, "[::1]:8545"),
        ("http://bücher.test/", "xn--bcher-kva.test", 80, "xn--bcher-kva.test"),
    ],
)
def test_a_host_is_named(url: str, host: str, port: int, named: str) -> None:
    target = target_of(url)
    assert (target.host, target.port, line(url, "Host")) == (host, port, named)


def test_who_is_named_in_the_url_is_authorized() -> None:
    assert line("https://Aladdin:open%20sesame@a.test", "Authorization") == (
        "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="  # RFC 7617, section 2
    )
    assert line("https://key@a.test", "Authorization") == "Basic a2V5Og=="
    assert line("https://a.test", "Authorization") is None


@pytest.mark.parametrize(
    "url", ["", "planted-key", "http://", "http://[::1", "ftp://a/b", "http://a:x/", "http://a..b/"]
)
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        target_of(url)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "10.1.2.3", "192.168.0.9", "geth"])
def test_a_neighbour_is_asked_for_plain_bytes(host: str) -> None:
    assert is_near(host)


@pytest.mark.parametrize("host", ["1.1.1.1", "2606:4700::1111", "rpc.test"])
def test_others_are_asked_to_pack_them(host: str) -> None:
    assert not is_near(host)
