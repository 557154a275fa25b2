// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

// What a rollup of the OP stack charges beside gas, as its predeploy tells it. Only the price is
// ours to set; a byte costs 16 gas of the parent chain, and 68 bytes are added for a signature.

/// As it was before operators took a part.
contract OldGasPriceOracle {
    uint256 public l1BaseFee;

    function setL1BaseFee(uint256 price) external {
        l1BaseFee = price;
    }

    function getL1Fee(bytes calldata data) external view returns (uint256) {
        return (data.length + 68) * 16 * l1BaseFee;
    }
}

/// As it is since Isthmus.
contract GasPriceOracle is OldGasPriceOracle {
    uint256 public operatorFeeScalar;
    uint256 public operatorFeeConstant;

    function setOperatorFee(uint256 scalar, uint256 constantPart) external {
        operatorFeeScalar = scalar;
        operatorFeeConstant = constantPart;
    }

    function getOperatorFee(uint256 gasUsed) external view returns (uint256) {
        return (gasUsed * operatorFeeScalar) / 1e6 + operatorFeeConstant;
    }
}

/// Something else at that address.
contract NoOracle {
    fallback() external {
        revert("no oracle");
    }
}
