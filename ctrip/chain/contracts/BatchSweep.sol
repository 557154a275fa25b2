// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// Moves a token of many deposit addresses to the treasury, in one transaction of the gas wallet.
///
/// One code in two places. Where it was deployed it is the batch: the operator calls it. A deposit
/// address that authorized it (EIP-7702) has the same code at its own place, and there it takes
/// orders from the batch alone. Whoever orders what, tokens go to the treasury and nowhere else.
///
/// It has no storage, takes no other code in and cannot be changed. So it does not matter who
/// else hands in an authorization, how often, or what a token does while it is called.
contract BatchSweep {
    address public immutable treasury;
    address public immutable operator;
    address private immutable batch = address(this);

    /// Gas that is left for an order that fails: its log, and the way to the end.
    uint256 private constant RESERVE = 5_000;

    /// What was to be moved and was not: the token refused, or the address has other code or none.
    event Kept(address indexed deposit, address indexed token);

    /// All orders were given. Where the contract is not, a call succeeds too, and logs nothing.
    event Swept(address indexed token, uint256 moved);

    error NotYours();
    error NoToken();
    error TooLittleGas();
    error NotMoved();
    error NothingMoved();

    constructor(address treasury_, address operator_) {
        treasury = treasury_;
        operator = operator_;
    }

    /// A deposit address can be paid in coin as before. The batch itself wants none.
    receive() external payable {
        if (address(this) == batch) revert NotYours();
    }

    /// Order each deposit address to move an amount. One that cannot does not stop the others, and
    /// if none can this fails.
    ///
    /// `what` is the token's address and, in the lower 96 bits, the gas that one move may take:
    /// a token that burns all it is given burns no more than that. Each of `moves` is a deposit
    /// address and, in the lower 96 bits, an amount: one word is half of what two would cost.
    function sweep(uint256 what, uint256[] calldata moves) external {
        if (msg.sender != operator || address(this) != batch) revert NotYours();
        address token = address(uint160(what >> 96));
        if (token.code.length == 0) revert NoToken();
        uint256 gasEach = uint96(what);
        // Of what is left a call may take 63 parts of 64 (EIP-150). A move that gets less than
        // it was promised would fail for that alone, and look as if its token had refused.
        uint256 gasMin = gasEach + gasEach / 32 + RESERVE;
        uint256 moved = moves.length;
        for (uint256 i; i < moves.length; ++i) {
            uint256 one = moves[i];
            address deposit = address(uint160(one >> 96));
            if (gasleft() < gasMin) revert TooLittleGas();
            bytes memory order = abi.encodeCall(this.move, (token, uint96(one)));
            (bool done, uint256 size, uint256 said) = _call(deposit, gasEach, order);
            // An address without code takes any call and says nothing.
            if (!done || size < 32 || said != 1) {
                emit Kept(deposit, token);
                --moved;
            }
        }
        // Such as where nobody could lend this code, because the chain does not know how.
        if (moved == 0) revert NothingMoved();
        emit Swept(token, moved);
    }

    /// Move an amount of a token from here to the treasury.
    function move(address token, uint256 amount) external returns (bool) {
        if (msg.sender != batch) revert NotYours();
        bytes memory order = abi.encodeWithSignature("transfer(address,uint256)", treasury, amount);
        (bool done, uint256 size, uint256 said) = _call(token, gasleft(), order);
        // Some tokens return nothing, some return false and go on as if nothing were wrong.
        if (!done || (size != 0 && (size < 32 || said != 1))) revert NotMoved();
        return true;
    }

    /// Call, and read no more than one word of what is returned, however much that is.
    function _call(address to, uint256 gasMax, bytes memory order)
        private
        returns (bool done, uint256 size, uint256 said)
    {
        assembly ("memory-safe") {
            done := call(gasMax, to, 0, add(order, 0x20), mload(order), 0, 0x20)
            size := returndatasize()
            said := mload(0)
        }
    }
}
