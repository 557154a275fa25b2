// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

// Ways for native coin to reach an address of which no list of transactions tells, and ways
// to look as if it had. Each is the least that leaves the same traces as the real thing.

/// A wallet that is a contract, like a Safe: a proxy that borrows the code of a singleton.
contract Wallet {
    // As a Safe's, it does not revert when the call it makes fails.
    function execTransaction(address payable to, uint256 value, bytes calldata data)
        external
        payable
        returns (bool success)
    {
        (success, ) = to.call{value: value}(data);
    }

    receive() external payable {}
}

contract WalletProxy {
    address private singleton;

    constructor(address code) payable {
        singleton = code;
    }

    fallback() external payable {
        address code = singleton;
        assembly {
            calldatacopy(0, 0, calldatasize())
            let success := delegatecall(gas(), code, 0, calldatasize(), 0, 0)
            returndatacopy(0, 0, returndatasize())
            if iszero(success) { revert(0, returndatasize()) }
            return(0, returndatasize())
        }
    }

    receive() external payable {}
}

/// Many payments in one transaction, like an exchange's payouts.
contract Disperse {
    function disperse(address payable[] calldata recipients, uint256[] calldata amounts)
        external
        payable
    {
        for (uint256 i = 0; i < recipients.length; i++) {
            (bool success, ) = recipients[i].call{value: amounts[i]}("");
            require(success, "disperse");
        }
    }
}

/// Money that a contract leaves behind when it destroys itself.
contract Bomb {
    constructor(address payable heir) payable {
        selfdestruct(heir);
    }
}

contract Bomber {
    function bomb(address payable heir, uint256 salt) external payable {
        new Bomb{value: msg.value, salt: bytes32(salt)}(heir);
    }
}

/// Money that went back: the inner call pays and reverts, the transaction succeeds.
contract Cheat {
    function pay(address payable to) external payable {
        (bool success, ) = to.call{value: msg.value}("");
        require(success && false, "never mind");
    }
}

contract Pretender {
    Cheat private immutable cheat = new Cheat();

    function pretend(address payable to) external payable {
        try cheat.pay{value: msg.value}(to) {} catch {}
    }

    // Pays half for show, the other half in earnest.
    function pretendThenPay(address payable to) external payable {
        try cheat.pay{value: msg.value / 2}(to) {} catch {}
        (bool success, ) = to.call{value: msg.value - msg.value / 2}("");
        require(success, "pay");
    }
}

/// An account of account abstraction (ERC-4337), run by its entry point.
contract EntryPoint {
    function handleOps(address sender, bytes calldata callData, address payable beneficiary)
        external
        payable
    {
        try this.innerHandleOp(sender, callData) {} catch {}
        (bool paid, ) = beneficiary.call{value: msg.value}("");
        require(paid, "beneficiary");
    }

    function innerHandleOp(address sender, bytes calldata callData) external {
        require(msg.sender == address(this), "only the entry point");
        (bool success, ) = sender.call(callData);
        require(success, "operation");
    }
}

contract Account {
    address private immutable entryPoint;

    constructor(address trusted) payable {
        entryPoint = trusted;
    }

    function execute(address payable to, uint256 value, bytes calldata data) external {
        require(msg.sender == entryPoint, "only the entry point");
        (bool success, ) = to.call{value: value}(data);
        require(success, "execute");
    }

    receive() external payable {}
}

/// Money that is handed down through many calls, each with call data.
contract Deep {
    function dive(address payable to, uint256 levels, bytes calldata data) external payable {
        if (levels > 1) {
            this.dive{value: msg.value}(to, levels - 1, data);
        } else {
            (bool success, ) = to.call{value: msg.value}(data);
            require(success, "dive");
        }
    }
}

/// Calls that are said to carry a value and move none.
contract Borrower {
    function borrow(address code) external payable {
        assembly {
            pop(delegatecall(gas(), code, 0, 0, 0, 0))
            pop(callcode(gas(), code, callvalue(), 0, 0, 0, 0))
            pop(staticcall(gas(), code, 0, 0, 0, 0))
        }
    }
}

/// Money that a new contract is born with.
contract Vault {
    constructor() payable {}
}

contract Founder {
    function found() external payable returns (address) {
        return address(new Vault{value: msg.value}());
    }
}
