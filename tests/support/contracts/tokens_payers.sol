// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

// Contracts that pay in tokens, since few payers are plain accounts.

interface Token {
    function mint(address to, uint256 value) external;
    function transfer(address to, uint256 value) external returns (bool);
}

/// An exchange's payouts: many in one transaction.
contract Disperser {
    function disperse(Token token, address[] calldata to, uint256 value) external {
        for (uint256 i = 0; i < to.length; i++) token.transfer(to[i], value);
    }

    function disperseTwo(Token one, Token other, address to, uint256 value) external {
        one.transfer(to, value);
        other.transfer(to, value);
    }
}

/// Tries to pay inside of a call that it may take back.
contract Waverer {
    function waver(Token token, address to, uint256 value) public {
        try this.payAndRevert(token, to, value) {} catch {}
    }

    function waverAndPay(Token token, address to, uint256 value) external {
        waver(token, to, value);
        token.transfer(to, value);
    }

    function payAndRevert(Token token, address to, uint256 value) external {
        token.transfer(to, value);
        revert();
    }
}

/// Pays when it is made, and is no more.
contract Mayfly {
    constructor(Token token, address to, uint256 value) {
        token.mint(address(this), value);
        token.transfer(to, value);
        selfdestruct(payable(msg.sender));
    }
}

/// Pays whom it was told long before: no transaction that pays names the recipient.
contract Employer {
    Token token;
    address worker;

    function hire(Token token_, address worker_) external {
        (token, worker) = (token_, worker_);
    }

    function pay(uint256 value) external {
        token.transfer(worker, value);
    }
}
