// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

interface IBatch {
    function sweep(uint256 what, uint256[] calldata moves) external;
    function move(address token, uint256 amount) external returns (bool);
}

/// While it is asked to move, it tries to give orders itself, and returns more than anybody reads.
contract MeddlingToken {
    mapping(address owner => uint256) public balanceOf;
    address public batch;
    address public loot;
    uint256 public refused;

    function mint(address to, uint256 value) external {
        balanceOf[to] += value;
    }

    /// `loot_` is the token that it is after.
    function aim(address batch_, address loot_) external {
        batch = batch_;
        loot = loot_;
    }

    function transfer(address to, uint256 value) external returns (bool) {
        balanceOf[msg.sender] -= value;
        balanceOf[to] += value;
        uint256[] memory moves = new uint256[](1);
        moves[0] = (uint256(uint160(msg.sender)) << 96) | 1;
        try IBatch(batch).sweep((uint256(uint160(loot)) << 96) | 60_000, moves) {} catch {
            refused++;
        }
        try IBatch(msg.sender).move(loot, 1) {} catch {
            refused++;
        }
        assembly {
            mstore(0, 1)
            return(0, 40000)
        }
    }
}

/// Burns all gas that it is given where others revert, as assert() did before Solidity 0.8.
contract BurningGasToken {
    mapping(address owner => uint256) public balanceOf;

    function mint(address to, uint256 value) external {
        balanceOf[to] += value;
    }

    function transfer(address to, uint256 value) external returns (bool) {
        if (balanceOf[msg.sender] < value) {
            assembly {
                invalid()
            }
        }
        balanceOf[msg.sender] -= value;
        balanceOf[to] += value;
        return true;
    }
}
