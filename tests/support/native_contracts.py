"""Contracts that move native coin, or look as if they did, on a real node.

    payers = await deploy_payers(chain)
    paid = await payers.wallet(to, 100)         # in the pool
    await chain.mine()

Each method of Payers is one way of contracts/native.sol. The chains that log native coin
are contracts/native_logs.sol, put where such a chain has its own:

    polygon = await play_polygon(chain)
    paid = await polygon.pay(to, 100)           # moved, and logged
    lied = await polygon.tell(FUNDER, to, 100)  # logged only
"""

from collections.abc import Sequence
from typing import Final

from ctrip.core.ids import RawAddress, TxHash
from tests.support.anvil import FUNDER, Anvil
from tests.support.token_contracts import Artifact, arguments, artifacts

FILES: Final = ("native", "native_logs")
POLYGON_LOGGER: Final = RawAddress("0x0000000000000000000000000000000000001010")
ETHER_LOGGER: Final = RawAddress("0xfffffffffffffffffffffffffffffffffffffffe")  # EIP-7708
BENEFICIARY: Final = RawAddress("0x" + "be" * 20)  # of the entry point's fees
FEE: Final = 1_000
FUNDS: Final = 10**18  # what the wallet and the account hold
GAS: Final = 5_000_000  # named, so that anvil does not try out what is meant to fail


class Payers:
    """The contracts of native.sol, each deployed once. What they return is in no block yet."""

    def __init__(self, chain: Anvil, at: dict[str, RawAddress]) -> None:
        self.at = at
        self._chain = chain

    async def wallet(self, to: RawAddress, amount: int, data: bytes = b"") -> TxHash:
        """Pay from a Safe-like wallet, out of what it holds."""
        signature = "execTransaction(address,uint256,bytes)"
        return await self._send("WalletProxy", signature, to, amount, data)

    async def batch(self, payouts: Sequence[tuple[RawAddress, int]]) -> TxHash:
        """Pay many at once, as an exchange does."""
        recipients, amounts = zip(*payouts, strict=True)
        signature = "disperse(address[],uint256[])"
        return await self._send("Disperse", signature, recipients, amounts, value=sum(amounts))

    async def selfdestruct(self, to: RawAddress, amount: int) -> TxHash:
        """Deploy a contract that destroys itself at once and leaves its money."""
        return await submit(self._chain, None, creation("Bomb(address)", to), amount)

    async def created_selfdestruct(self, to: RawAddress, amount: int, salt: int = 0) -> TxHash:
        """Let a contract make such a contract, by CREATE2."""
        return await self._send("Bomber", "bomb(address,uint256)", to, salt, value=amount)

    async def failed_inner(self, to: RawAddress, amount: int) -> TxHash:
        """Pay within a call that reverts, in a transaction that succeeds: nothing arrives."""
        return await self._send("Pretender", "pretend(address)", to, value=amount)

    async def half_failed_inner(self, to: RawAddress, amount: int) -> TxHash:
        """Pay half in a call that reverts, then the other half for good."""
        return await self._send("Pretender", "pretendThenPay(address)", to, value=amount)

    async def account(self, to: RawAddress, amount: int) -> TxHash:
        """Pay from a smart account through its entry point, which also pays out a fee."""
        execute = call_data("Account", "execute(address,uint256,bytes)", to, amount, b"")
        signature = "handleOps(address,bytes,address)"
        operation = (self.at["Account"], bytes.fromhex(execute[2:]), BENEFICIARY)
        return await self._send("EntryPoint", signature, *operation, value=FEE)

    async def deep(
        self, to: RawAddress, amount: int, *, levels: int = 12, data: bytes = b"thanks"
    ) -> TxHash:
        """Hand money down through many calls, with call data to the last."""
        signature = "dive(address,uint256,bytes)"
        return await self._send("Deep", signature, to, levels, data, value=amount)

    async def borrow(self, code: RawAddress, amount: int) -> TxHash:
        """Run code of `code` with a value in context: the money stays with the borrower."""
        return await self._send("Borrower", "borrow(address)", code, value=amount)

    async def found(self, amount: int) -> TxHash:
        """Let a contract make another that is born with money."""
        return await self._send("Founder", "found()", value=amount)

    async def _send(self, name: str, signature: str, *args: object, value: int = 0) -> TxHash:
        code = "Wallet" if name == "WalletProxy" else name
        data = call_data(code, signature, *args)
        return await submit(self._chain, self.at[name], data, value)


class Logger:
    """A contract that plays a chain which logs its native coin."""

    def __init__(self, chain: Anvil, name: str, address: RawAddress) -> None:
        self._chain = chain
        self._name = name
        self._address = address

    async def pay(self, to: RawAddress, amount: int) -> TxHash:
        """Move money and log it."""
        return await self._send("pay(address)", to, value=amount)

    async def tell(self, sender: RawAddress, to: RawAddress, amount: int) -> TxHash:
        """Log what did not happen."""
        return await self._send("tell(address,address,uint256)", sender, to, amount)

    async def _send(self, signature: str, *args: object, value: int = 0) -> TxHash:
        data = call_data(self._name, signature, *args)
        return await submit(self._chain, self._address, data, value)


async def deploy_payers(chain: Anvil) -> Payers:
    """Deploy what pays, mined at once."""
    names = ("Wallet", "Disperse", "Bomber", "Pretender", "EntryPoint", "Deep", "Borrower")
    at = {name: await deploy(chain, name) for name in (*names, "Founder")}
    at["WalletProxy"] = await deploy(chain, "WalletProxy(address)", at["Wallet"], value=FUNDS)
    at["Account"] = await deploy(chain, "Account(address)", at["EntryPoint"], value=FUNDS)
    return Payers(chain, at)


async def play_polygon(chain: Anvil) -> Logger:
    """Give the chain a contract that logs native coin as Polygon does."""
    return await play(chain, "PolygonLogs", POLYGON_LOGGER)


async def play_eip7708(chain: Anvil) -> Logger:
    """Give the chain a contract that logs native coin as EIP-7708 wants it."""
    return await play(chain, "EtherLogs", ETHER_LOGGER)


async def play(chain: Anvil, name: str, address: RawAddress) -> Logger:
    deployed = await deploy(chain, name)
    code = await chain.rpc("eth_getCode", deployed, "latest")
    await chain.rpc("anvil_setCode", address, code)
    return Logger(chain, name, address)


async def deploy(chain: Anvil, constructor: str, *args: object, value: int = 0) -> RawAddress:
    """Deploy a contract, mined at once; the constructor is its name, with its types if any."""
    tx_hash = await submit(chain, None, creation(constructor, *args), value)
    await chain.mine()
    receipt = await chain.rpc("eth_getTransactionReceipt", tx_hash)
    assert receipt["status"] == "0x1", f"{constructor} cannot be deployed"
    return RawAddress(receipt["contractAddress"].lower())


async def submit(chain: Anvil, to: RawAddress | None, data: str, value: int) -> TxHash:
    call = {"from": FUNDER, "data": data, "value": hex(value), "gas": hex(GAS)}
    return TxHash(await chain.rpc("eth_sendTransaction", {**call, "to": to} if to else call))


def creation(constructor: str, *args: object) -> str:
    return artifact(constructor.partition("(")[0]).bytecode + arguments(constructor, args)


def call_data(name: str, signature: str, *args: object) -> str:
    return f"0x{artifact(name).selectors[signature]}{arguments(signature, args)}"


def artifact(name: str) -> Artifact:
    return next(found[name] for file in FILES if name in (found := artifacts(file).contracts))
