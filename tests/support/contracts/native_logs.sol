// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

// Chains that log each move of native coin, played by a contract at the address that logs.
// `pay` moves money and logs it, as the chain would; `tell` only logs, as the chain never does.

/// Polygon, from 0x0000000000000000000000000000000000001010.
contract PolygonLogs {
    event LogTransfer(
        address indexed token,
        address indexed from,
        address indexed to,
        uint256 amount,
        uint256 input1,
        uint256 input2,
        uint256 output1,
        uint256 output2
    );

    function pay(address payable to) external payable {
        uint256 input1 = msg.sender.balance + msg.value;
        uint256 input2 = to.balance;
        (bool success, ) = to.call{value: msg.value}("");
        require(success, "pay");
        emit LogTransfer(
            address(this), msg.sender, to, msg.value,
            input1, input2, msg.sender.balance, to.balance
        );
    }

    function tell(address from, address to, uint256 amount) external {
        emit LogTransfer(address(this), from, to, amount, amount, 0, 0, amount);
    }
}

/// EIP-7708, from 0xfffffffffffffffffffffffffffffffffffffffe.
contract EtherLogs {
    event Transfer(address indexed from, address indexed to, uint256 amount);

    function pay(address payable to) external payable {
        (bool success, ) = to.call{value: msg.value}("");
        require(success, "pay");
        emit Transfer(msg.sender, to, msg.value);
    }

    function tell(address from, address to, uint256 amount) external {
        emit Transfer(from, to, amount);
    }
}
