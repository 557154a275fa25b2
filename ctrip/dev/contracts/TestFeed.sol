// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// A price feed for a development chain, asked as Chainlink's are (AggregatorV3Interface).
/// Whoever calls it sets the price, so nothing of worth may be sold at it.
contract TestFeed {
    uint8 public immutable decimals;
    string public description;
    uint256 public constant version = 1;

    uint80 private _roundId;
    int256 private _answer;
    uint256 private _startedAt;
    uint256 private _updatedAt;
    uint80 private _answeredInRound;

    constructor(uint8 decimals_, string memory description_) {
        decimals = decimals_;
        description = description_;
    }

    /// A next round, whole, and of now.
    function answer(int256 value) external {
        uint80 next = _roundId + 1;
        put(next, value, block.timestamp, next);
    }

    /// Any round, also one that no honest feed would show.
    function put(uint80 roundId, int256 value, uint256 updatedAt, uint80 answeredInRound) public {
        _roundId = roundId;
        _answer = value;
        _startedAt = updatedAt;
        _updatedAt = updatedAt;
        _answeredInRound = answeredInRound;
    }

    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80) {
        return (_roundId, _answer, _startedAt, _updatedAt, _answeredInRound);
    }
}
