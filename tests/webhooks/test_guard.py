"""Which addresses may be dialled, and which URLs look as if they may."""

import socket

import pytest

from ctrip.webhooks.guard import BlockedAddress, Guard, UnknownNetwork

PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "93.184.216.34",
    "172.15.255.255",
    "172.32.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "192.167.255.255",
    "223.255.255.255",
    "::ffff:8.8.8.8",
    "2606:4700:4700::1111",
    "2a00:1450:4001::200e",
]
PRIVATE = [
    "0.0.0.0",  # noqa: S104  (an address to refuse)
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::8.8.8.8",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:7f00:1",
    "::ffff:169.254.169.254",
    "0:0:0:0:0:ffff:7f00:0001",
    "64:ff9b::7f00:1",
    "64:ff9b::8.8.8.8",
    "64:ff9b:1::1",
    "64:ff9b:1::7f00:1",
    "100::1",
    "2001::1",
    "2001:0:7f00:1::",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:808:808::1",
    "3fff::1",
    "2001:20::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fdff::1",
    "::ffff:0:7f00:1",
    "4000::1",
    "fe80::1",
    "fe80::1%lo",
    "febf::1",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
]
NOT_ADDRESSES = ["", "localhost", "127.1", "2130706433", "0x7f.1", "1.2.3.4.5", "1.1.1.1 ", "[::1]"]
CLOUD = [
    "169.254.169.254",
    "169.254.170.2",
    "::ffff:169.254.169.254",
    "64:ff9b::169.254.169.254",
    "2002:a9fe:a9fe::1",
    "::169.254.169.254",
    "64:ff9b:1::a9fe:a9fe",
    "::ffff:0:a9fe:a9fe",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "fd00:ec2::254",
    "fd00:ec2::23",
    "fd20:ce::254",
]


def info(address: str) -> tuple[int, int, int, str, tuple[str, int]]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, 80)


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_allowed(address: str) -> None:
    assert Guard().allows(address)


@pytest.mark.parametrize("address", PRIVATE + NOT_ADDRESSES)
def test_everything_else_is_not(address: str) -> None:
    assert not Guard().allows(address)


def test_the_operator_opens_networks_of_his_own_and_no_others() -> None:
    guard = Guard(("10.1.0.0/16", "::1/128"))
    assert guard.allows("10.1.2.3")
    assert guard.allows("::ffff:10.1.2.3")
    assert guard.allows("::1")
    assert not guard.allows("10.2.0.1")
    assert not guard.allows("127.0.0.1")
    assert guard.allows("1.1.1.1")


@pytest.mark.parametrize("address", CLOUD)
def test_nobody_opens_where_clouds_keep_credentials(address: str) -> None:
    assert not Guard(("0.0.0.0/0", "::/0")).allows(address)


def test_with_everything_open_the_rest_of_a_private_network_is_open() -> None:
    guard = Guard(("0.0.0.0/0", "::/0"))
    assert all(map(guard.allows, ["127.0.0.1", "::1", "fd00:ec3::1", "64:ff9b::10.0.0.1"]))


@pytest.mark.parametrize("cidr", ["", "10.0.0.1/8", "10.0.0.0/33", "localhost", "10.*"])
def test_what_is_no_network_stops_the_start_and_says_which(cidr: str) -> None:
    with pytest.raises(UnknownNetwork, match="allow_cidrs"):
        Guard(("127.0.0.0/8", cidr))


def test_a_socket_is_made_for_an_allowed_address_only() -> None:
    guard = Guard()
    with guard.socket_for(info("1.1.1.1")) as made:
        assert made.family == socket.AF_INET
    for address in PRIVATE:
        with pytest.raises(BlockedAddress) as caught:
            guard.socket_for(info(address))
        assert address not in str(caught.value)


def test_a_socket_that_is_not_of_the_internet_is_refused() -> None:
    with pytest.raises(BlockedAddress):
        Guard(("0.0.0.0/0",)).socket_for((socket.AF_UNIX, socket.SOCK_STREAM, 0, "", ("/run/x",)))


GOOD_URLS = [
    "https://shop.example/hook",
    "https://shop.example:8443/hook?a=b#c",
    "HTTPS://SHOP.EXAMPLE",
    "https://shop.example./hook",
    "https://1.1.1.1/hook",
    "https://[2606:4700:4700::1111]/hook",
    "https://käse.example/hook",
    "https://xn--kse-qla.example/hook",
    "https://a_b.example/",
    "https://127.example/",
]
BAD_URLS = [
    ("", "https://"),
    ("shop.example", "https://"),
    ("ftp://shop.example/", "https://"),
    ("file:///etc/passwd", "https://"),
    ("javascript:alert(1)", "https://"),
    ("https://", "valid"),
    ("https:///path", "valid"),
    ("https://shop.example:0/", "not for HTTP"),
    ("https://shop.example:99999/", "valid"),
    ("https://shop.example:port/", "valid"),
    ("https://[::1", "valid"),
    ("https://[fe80::1%25lo]/", "valid"),
    ("https://a..b/", "valid"),
    ("https://%31%32%37.0.0.1/", "valid"),
    ("https://user:pass@shop.example/", "user name"),
    ("https://shop.example@127.0.0.1/", "user name"),
    ("https://shop.example\\@127.0.0.1/", "backslash"),
    ("https://shop.example/a b", "space"),
    ("https://shop.example/\r\nX: y", "control"),
    ("https://shop.example/" + "a" * 2048, "2048"),
    ("https://sh!op.example/", "valid host"),
    ("https://127.0.0.1/", "not public"),
    ("https://127.0.0.1./", "not public"),
    ("https://[::1]/", "not public"),
    ("https://[::ffff:127.0.0.1]/", "not public"),
    ("https://[64:ff9b::7f00:1]/", "not public"),
    ("https://[2002:7f00:1::]/", "not public"),
    ("https://169.254.169.254/latest/meta-data", "not public"),
    ("https://100.64.0.1/", "not public"),
    ("https://localhost/", "not public"),
    ("https://LOCALHOST./", "not public"),
    ("https://db.localhost/", "not public"),
    ("https://\uff11\uff12\uff17.0.0.1/", "not public"),
    ("https://127\u30020\u30020\u30021/", "not public"),
    ("https://2130706433/", "valid host"),
    ("https://0x7f000001/", "valid host"),
    ("https://0x7f.1/", "valid host"),
    ("https://127.1/", "valid host"),
    ("https://0177.0.0.1/", "valid host"),
    ("https://127.0.0.0x1/", "valid host"),
    ("http://shop.example/hook", "use https"),
    ("http://1.1.1.1/hook", "use https"),
]


@pytest.mark.parametrize("url", GOOD_URLS)
def test_a_public_url_has_no_fault(url: str) -> None:
    assert Guard().check_url(url) is None


@pytest.mark.parametrize(("url", "fault"), BAD_URLS)
def test_a_bad_url_is_told_why(url: str, fault: str) -> None:
    assert fault in (Guard().check_url(url) or "no fault")


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:8000/hook", "http://[::1]:8000/", "http://localhost:8000/", "http://shop/"],
)
def test_plain_http_will_do_inside_the_operators_networks(url: str) -> None:
    assert Guard(("127.0.0.0/8", "::1/128")).check_url(url) is None


def test_plain_http_to_a_public_address_never_will() -> None:
    assert "https" in (Guard(("127.0.0.0/8",)).check_url("http://1.1.1.1/") or "")
