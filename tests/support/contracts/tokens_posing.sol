// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

// Contracts whose logs resemble the Transfer of EIP-20. None keeps books: a log is all that
// a watcher sees of them.

/// ERC-721: the same first topic, with the token's number as a fourth.
contract Erc721 {
    event Transfer(address indexed from, address indexed to, uint256 indexed tokenId);

    function mint(address to, uint256 tokenId) external {
        emit Transfer(address(0), to, tokenId);
    }
}

/// CryptoKitties: the same first topic, and everything else is data.
contract Kitties {
    event Transfer(address from, address to, uint256 tokenId);

    function give(address to, uint256 tokenId) external {
        emit Transfer(msg.sender, to, tokenId);
    }
}

/// Only one of the two parties is a topic.
contract HalfIndexed {
    event Transfer(address from, address indexed to, uint256 value);

    function transfer(address to, uint256 value) external {
        emit Transfer(msg.sender, to, value);
    }
}

/// ERC-1155: many kinds of token in one contract.
contract Erc1155 {
    event TransferSingle(
        address indexed operator, address indexed from, address indexed to, uint256 id, uint256 value
    );
    event TransferBatch(
        address indexed operator,
        address indexed from,
        address indexed to,
        uint256[] ids,
        uint256[] values
    );

    function give(address to, uint256 id, uint256 value) external {
        emit TransferSingle(msg.sender, msg.sender, to, id, value);
    }

    function giveBatch(address to, uint256[] calldata ids, uint256[] calldata values) external {
        emit TransferBatch(msg.sender, msg.sender, to, ids, values);
    }
}

/// ERC-777: compatible with EIP-20 when it emits both logs, and it need not.
contract Erc777 {
    event Sent(
        address indexed operator,
        address indexed from,
        address indexed to,
        uint256 amount,
        bytes data,
        bytes operatorData
    );
    event Transfer(address indexed from, address indexed to, uint256 value);

    function send(address to, uint256 value) public {
        emit Sent(msg.sender, msg.sender, to, value, "", "");
    }

    function transfer(address to, uint256 value) external {
        send(to, value);
        emit Transfer(msg.sender, to, value);
    }
}

/// A Transfer of four arguments: alone as in ERC-223, or with that of three as in ERC-677.
contract Erc677 {
    event Transfer(address indexed from, address indexed to, uint256 value, bytes data);
    event Transfer(address indexed from, address indexed to, uint256 value);

    function transferAlone(address to, uint256 value) public {
        emit Transfer(msg.sender, to, value, "");
    }

    function transferAndCall(address to, uint256 value) external {
        transferAlone(to, value);
        emit Transfer(msg.sender, to, value);
    }
}

/// Asked for a balance, it does what a balance should not do.
contract Scales {
    uint256 public immutable mischief;

    constructor(uint256 mischief_) {
        mischief = mischief_;
    }

    function balanceOf(address) external view returns (uint256 none) {
        uint256 kind = mischief;
        assembly {
            switch kind
            case 0 { revert(0, 0) }
            case 1 { invalid() } // takes all the gas there is
            case 2 { return(0, 0) }
            case 3 { return(0, 31) }
            case 4 { return(0, 1000000) }
            case 5 { revert(0, 1000000) }
            default { for {} 1 {} {} } // takes all the gas too, and its time
        }
        none = 0;
    }
}

/// Writes any log it is told to, as assembly can.
contract Ink {
    function write(bytes32[] calldata t, bytes calldata data) external {
        bytes memory text = data;
        (bytes32 a, bytes32 b, bytes32 c, bytes32 d) = (topic(t, 0), topic(t, 1), topic(t, 2), topic(t, 3));
        uint256 count = t.length;
        assembly {
            let start := add(text, 32)
            let size := mload(text)
            switch count
            case 0 { log0(start, size) }
            case 1 { log1(start, size, a) }
            case 2 { log2(start, size, a, b) }
            case 3 { log3(start, size, a, b, c) }
            default { log4(start, size, a, b, c, d) }
        }
    }

    function topic(bytes32[] calldata topics, uint256 place) private pure returns (bytes32) {
        return place < topics.length ? topics[place] : bytes32(0);
    }
}

/// An event that the language calls anonymous: its author chooses every topic.
contract Anonymous {
    event Looks(
        bytes32 indexed like, address indexed from, address indexed to, uint256 value
    ) anonymous;

    function transfer(address to, uint256 value) external {
        emit Looks(keccak256("Transfer(address,address,uint256)"), msg.sender, to, value);
    }
}
