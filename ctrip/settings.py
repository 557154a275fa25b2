"""Everything an operator may set, with its default and its meaning.

One struct per table of config.toml. A struct is handed to the code that needs it;
nobody is handed all of Settings but app.py. config.py is the only reader of files and
environment; the names of the variables are made from the names here.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from ctrip.core.chains import Chain


class Secret:
    """Text that shows itself to nobody who does not ask: repr, str and format hide it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __repr__(self) -> str:
        return "Secret(***)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)


NO_SECRET = Secret("")

Port = Annotated[int, Meta(ge=0, le=65535)]
Rate = Annotated[float, Meta(ge=0, le=1_000_000)]  # a second


class Server(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[server]: where the API listens, and who may use it."""

    host: str = "127.0.0.1"
    port: Port = 8080  # 0 takes any free one
    public_url: str = ""  # how the outside reaches us, without a slash at the end
    auth: Literal["keys", "off"] = "keys"  # "off" only behind an ingress that enforces it
    rate_per_key: Rate = 100.0  # requests a second; 0 for no limit
    rate_per_address: Rate = 10.0  # of those who bear no valid key; 0 for no limit
    trusted_proxies: tuple[str, ...] = ()  # networks whose X-Forwarded-For is believed
    cors_origins: tuple[str, ...] = ()  # sites whose pages may read answers


class Database(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[database]: the one Postgres."""

    url: Secret
    pool_size_max: Annotated[int, Meta(ge=4, le=200)] = 16


class Wallet(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[wallet]: exactly one of the two. With an xpub no private key is on this machine."""

    xpub: Secret = NO_SECRET  # account level, m/44'/60'/0' (not a key, but it shows all addresses)
    mnemonic: Secret = NO_SECRET  # BIP-39 words


class Settlement(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[settlement]: what becomes of deposits, and where the keys that move them lie.

    Keys are in files that their owner alone can read, beside config.toml unless absolute.
    """

    mode: Literal["hold", "sweep", "export"] = "hold"  # "export" signs elsewhere, "hold" nothing
    treasury: str = ""  # the one address that money is swept to
    mnemonic_file: str = ""  # BIP-39 words; either this or a keystore
    keystore_file: str = ""  # the same under a password: Web3 Secret Storage
    password_file: str = ""  # of keystore_file
    gas_wallet: str = ""  # its address, where the keys are elsewhere (export)
    payout_wallet: str = ""  # the same of the wallet that pays refunds
    gas_keystore_file: str = ""  # one private key, if the gas wallet is not to come from the words
    gas_password_file: str = ""


class Payments(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[payments]: what a payment is unless its creator says otherwise."""

    expires_in_seconds: Annotated[int, Meta(ge=60, le=604_800)] = 1_800
    late_window_seconds: Annotated[int, Meta(ge=0, le=2_592_000)] = (
        86_400  # watched on after expiry
    )
    late_payments: Literal["hold", "accept"] = "hold"  # "accept" counts money after the deadline
    order_id_unique: bool = False  # an order_id of a key's may have one payment only


class Webhooks(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[webhooks]: the receiver that hears of every payment."""

    url: str = ""
    secret: Secret = NO_SECRET  # whsec_ and base64, or any text of 16 bytes and more
    secrets_key: Secret = NO_SECRET  # 32 random bytes and more: seals secrets of other endpoints
    secrets_key_before: Secret = NO_SECRET  # while secrets_key is changed: the one it replaces
    timeout_seconds: Annotated[float, Meta(gt=0, le=60)] = 15.0
    keep_days: Annotated[int, Meta(ge=7, le=3_650)] = 90  # of deliveries that ended
    allow_cidrs: tuple[str, ...] = ()  # private networks that receivers may live in


class Log(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[log]: to standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "text"] = "json"


class Chains(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[chains]: which networks of chains.yaml to serve."""

    file: str = "chains.yaml"  # beside config.toml unless absolute
    use: tuple[str, ...] = ()  # names; each costs its share of RPC calls


class Network(Struct, frozen=True, kw_only=True):
    """A chain to serve, and its endpoints: secrets, because they often hold an API key."""

    chain: Chain
    rpc_urls: tuple[Secret, ...]


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole of config.toml, and the networks it chose from chains.yaml."""

    database: Database
    wallet: Wallet
    server: Server = field(default_factory=Server)
    settlement: Settlement = field(default_factory=Settlement)
    payments: Payments = field(default_factory=Payments)
    webhooks: Webhooks = field(default_factory=Webhooks)
    log: Log = field(default_factory=Log)
    chains: Chains = field(default_factory=Chains)
    networks: tuple[Network, ...] = ()


def secrets_of(settings: Settings) -> list[Secret]:
    """Return everything that no log line may show."""
    endpoints = [url for network in settings.networks for url in network.rpc_urls]
    wallet = settings.wallet
    return [
        settings.database.url,
        settings.webhooks.secret,
        settings.webhooks.secrets_key,
        settings.webhooks.secrets_key_before,
        wallet.mnemonic,
        wallet.xpub,
        *endpoints,
    ]
