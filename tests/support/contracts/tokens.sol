// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

// Tokens as they are met in the wild, each with the one quirk that it is known for. All are
// minted for nothing: what is tested is who believes them.

/// What they have in common. A sum that overflows wraps round, as it does in old contracts.
abstract contract Ledger {
    mapping(address owner => uint256) public balanceOf;
    mapping(address owner => mapping(address spender => uint256)) public allowance;

    event Transfer(address indexed from, address indexed to, uint256 value);
    event Approval(address indexed owner, address indexed spender, uint256 value);

    function mint(address to, uint256 value) public {
        _add(to, value);
        emit Transfer(address(0), to, value);
    }

    function approve(address spender, uint256 value) external {
        allowance[msg.sender][spender] = value;
        emit Approval(msg.sender, spender, value);
    }

    function _move(address from, address to, uint256 value) internal {
        balanceOf[from] -= value;
        _add(to, value);
        emit Transfer(from, to, value);
    }

    function _add(address to, uint256 value) internal {
        unchecked {
            balanceOf[to] += value;
        }
    }
}

/// EIP-20, with EIP-2612 as far as its log goes.
contract PlainToken is Ledger {
    function transfer(address to, uint256 value) external returns (bool) {
        _move(msg.sender, to, value);
        return true;
    }

    function transferFrom(address from, address to, uint256 value) external returns (bool) {
        if (from != msg.sender) allowance[from][msg.sender] -= value;
        _move(from, to, value);
        return true;
    }

    function burn(uint256 value) external {
        _move(msg.sender, address(0), value);
    }

    /// The signature is left out: who signed does not show in the log.
    function permit(address owner, address spender, uint256 value) external {
        allowance[owner][spender] = value;
        emit Approval(owner, spender, value);
    }

    /// Lend and take back within the call.
    function flash(address to, uint256 value) external {
        mint(to, value);
        _move(to, address(0), value);
    }
}

/// Says false where others revert: the transaction succeeds and moves nothing.
contract FalseToken is Ledger {
    function transfer(address to, uint256 value) external returns (bool) {
        if (balanceOf[msg.sender] < value) return false;
        _move(msg.sender, to, value);
        return true;
    }
}

/// USDT of Ethereum: returns nothing, may charge a fee, be paused, block and destroy.
contract TetherToken is Ledger {
    address public immutable owner = msg.sender;
    uint256 public basisPointsRate;
    bool public paused;
    mapping(address owner => bool) public isBlackListed;

    event DestroyedBlackFunds(address _blackListedUser, uint256 _balance);

    function setParams(uint256 rate) external {
        basisPointsRate = rate;
    }

    function pause() external {
        paused = true;
    }

    function unpause() external {
        paused = false;
    }

    function addBlackList(address user) external {
        isBlackListed[user] = true;
    }

    function destroyBlackFunds(address user) external {
        emit DestroyedBlackFunds(user, balanceOf[user]);
        balanceOf[user] = 0;
    }

    function transfer(address to, uint256 value) external {
        require(!paused && !isBlackListed[msg.sender]);
        uint256 fee = (value * basisPointsRate) / 10_000;
        _move(msg.sender, to, value - fee);
        if (fee > 0) _move(msg.sender, owner, fee);
    }
}

/// Takes a tenth for itself, and its log comes first.
contract TaxToken is Ledger {
    function transfer(address to, uint256 value) external returns (bool) {
        _move(msg.sender, address(this), value / 10);
        _move(msg.sender, to, value - value / 10);
        return true;
    }
}

/// Burns a tenth of all that moves.
contract BurningToken is Ledger {
    function transfer(address to, uint256 value) external returns (bool) {
        _move(msg.sender, to, value - value / 10);
        _move(msg.sender, address(0), value / 10);
        return true;
    }
}

/// Takes a tenth and does not say so: its log tells what was sent, not what arrived.
contract GrossToken is Ledger {
    function transfer(address to, uint256 value) external returns (bool) {
        balanceOf[msg.sender] -= value;
        _add(to, value - value / 10);
        emit Transfer(msg.sender, to, value);
        return true;
    }
}

/// Logs and keeps no books at all.
contract PhantomToken is Ledger {
    function transfer(address to, uint256 value) external returns (bool) {
        emit Transfer(msg.sender, to, value);
        return true;
    }
}

/// Balances grow without a log, as those of staked coins do.
contract RebasingToken is Ledger {
    function transfer(address to, uint256 value) external returns (bool) {
        _move(msg.sender, to, value);
        return true;
    }

    function rebase(address owner, uint256 value) external {
        _add(owner, value);
    }
}

/// MKR: its symbol is a word, not a string.
contract WordToken is Ledger {
    bytes32 public constant symbol = "MKR";
    bytes32 public constant name = "Maker";

    function transfer(address to, uint256 value) external returns (bool) {
        _move(msg.sender, to, value);
        return true;
    }
}

/// Says it has this many decimals, whatever chains.yaml says.
contract DecimalsToken is Ledger {
    uint8 public decimals;

    function setDecimals(uint8 value) external {
        decimals = value;
    }

    function transfer(address to, uint256 value) external returns (bool) {
        _move(msg.sender, to, value);
        return true;
    }
}

/// EIP-1967: everything but its own address is that of another contract.
contract Proxy {
    bytes32 private constant SLOT = bytes32(uint256(keccak256("eip1967.proxy.implementation")) - 1);

    constructor(address implementation) {
        upgradeTo(implementation);
    }

    function upgradeTo(address implementation) public {
        bytes32 slot = SLOT;
        assembly {
            sstore(slot, implementation)
        }
    }

    fallback() external {
        bytes32 slot = SLOT;
        assembly {
            calldatacopy(0, 0, calldatasize())
            let done := delegatecall(gas(), sload(slot), 0, calldatasize(), 0, 0)
            returndatacopy(0, 0, returndatasize())
            if iszero(done) {
                revert(0, returndatasize())
            }
            return(0, returndatasize())
        }
    }
}

/// One ledger with two addresses, each of which logs what the other does (TUSD, SNX).
contract DoubleToken is Ledger {
    LegacyEntry public immutable legacy = new LegacyEntry();

    function transfer(address to, uint256 value) external returns (bool) {
        _move(msg.sender, to, value);
        legacy.tell(msg.sender, to, value);
        return true;
    }
}

contract LegacyEntry {
    event Transfer(address indexed from, address indexed to, uint256 value);

    function tell(address from, address to, uint256 value) external {
        emit Transfer(from, to, value);
    }
}

/// Has given all of itself away before anybody can look at it, and may be gone by then.
contract BornToken is Ledger {
    constructor(address to, uint256 value, bool dies) {
        mint(to, value);
        if (dies) selfdestruct(payable(to));
    }
}

/// WETH: coin becomes tokens with a log of its own.
contract WrappedCoin is Ledger {
    event Deposit(address indexed dst, uint256 wad);

    function depositTo(address dst) external payable {
        _add(dst, msg.value);
        emit Deposit(dst, msg.value);
    }

    function deposit() external payable {
        _add(msg.sender, msg.value);
        emit Deposit(msg.sender, msg.value);
    }

    function transfer(address to, uint256 value) external returns (bool) {
        _move(msg.sender, to, value);
        return true;
    }
}
