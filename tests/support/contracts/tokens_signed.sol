// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

// A token whose owners move it by a signature alone, as USDC's (FiatTokenV2_2), and the cheapest
// contracts that could sweep by such signatures. They are there to be measured, not to be used.

/// USDC, as far as it costs gas: EIP-20, EIP-2612 and EIP-3009, a pause, and a blacklist that is
/// one bit of each balance's word.
contract FiatToken {
    bytes32 private constant TRANSFER = keccak256(
        "TransferWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
    );
    bytes32 private constant PERMIT =
        keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");
    bytes32 private constant DOMAIN =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    uint256 private constant BLOCKED = 1 << 255;

    bool public paused;
    mapping(address owner => uint256) private words;
    mapping(address owner => mapping(address spender => uint256)) public allowance;
    mapping(address owner => uint256) public nonces;
    mapping(address owner => mapping(bytes32 nonce => bool)) public authorizationState;

    event Transfer(address indexed from, address indexed to, uint256 value);
    event Approval(address indexed owner, address indexed spender, uint256 value);
    event AuthorizationUsed(address indexed authorizer, bytes32 indexed nonce);

    modifier whenNotPaused() {
        require(!paused, "Pausable: paused");
        _;
    }

    function mint(address to, uint256 value) external {
        words[to] += value;
        emit Transfer(address(0), to, value);
    }

    function balanceOf(address owner) external view returns (uint256) {
        return words[owner] & ~BLOCKED;
    }

    function domainSeparator() public view returns (bytes32) {
        bytes32 name = keccak256("USD Coin");
        return keccak256(abi.encode(DOMAIN, name, keccak256("2"), block.chainid, address(this)));
    }

    function transfer(address to, uint256 value) external whenNotPaused returns (bool) {
        _move(msg.sender, to, value);
        return true;
    }

    function transferFrom(address from, address to, uint256 value) external whenNotPaused returns (bool) {
        require(value <= allowance[from][msg.sender], "ERC20: transfer amount exceeds allowance");
        _move(from, to, value);
        allowance[from][msg.sender] -= value;
        return true;
    }

    /// EIP-2612.
    function permit(address owner, address spender, uint256 value, uint256 deadline, uint8 v, bytes32 r, bytes32 s)
        external
        whenNotPaused
    {
        require(deadline >= block.timestamp, "FiatTokenV2: permit is expired");
        bytes32 said = keccak256(abi.encode(PERMIT, owner, spender, value, nonces[owner]++, deadline));
        require(_signed(owner, said, v, r, s), "EIP2612: invalid signature");
        allowance[owner][spender] = value;
        emit Approval(owner, spender, value);
    }

    /// EIP-3009.
    function transferWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external whenNotPaused {
        require(block.timestamp > validAfter, "FiatTokenV2: authorization is not yet valid");
        require(block.timestamp < validBefore, "FiatTokenV2: authorization is expired");
        require(!authorizationState[from][nonce], "FiatTokenV2: authorization is used or canceled");
        bytes32 said = keccak256(abi.encode(TRANSFER, from, to, value, validAfter, validBefore, nonce));
        require(_signed(from, said, v, r, s), "FiatTokenV2: invalid signature");
        authorizationState[from][nonce] = true;
        emit AuthorizationUsed(from, nonce);
        _move(from, to, value);
    }

    /// Whoever has code is asked itself by USDC (EIP-1271), which ours have no answer to.
    function _signed(address signer, bytes32 said, uint8 v, bytes32 r, bytes32 s) private view returns (bool) {
        if (signer.code.length > 0) return false;
        bytes32 digest = keccak256(abi.encodePacked("\x19\x01", domainSeparator(), said));
        return ecrecover(digest, v, r, s) == signer;
    }

    function _move(address from, address to, uint256 value) private {
        require(words[from] & BLOCKED == 0 && words[to] & BLOCKED == 0, "Blacklistable: account is blacklisted");
        require(value <= words[from], "ERC20: transfer amount exceeds balance");
        words[from] -= value;
        words[to] += value;
        emit Transfer(from, to, value);
    }
}

/// Moves a token of many owners to one treasury by what each of them signed off the chain. An order
/// is three words: owner and amount, r, and s with the parity of y above it (EIP-2098).
contract SignedSweep {
    address private immutable treasury;
    address private immutable operator;

    constructor(address treasury_, address operator_) {
        treasury = treasury_;
        operator = operator_;
    }

    /// By EIP-3009. A nonce of 0 is used once by each owner; `nonce` is for all of them.
    function byAuthorization(FiatToken token, bytes32 nonce, bytes32[3][] calldata orders) external {
        require(msg.sender == operator);
        for (uint256 i; i < orders.length; ++i) {
            (address owner, uint256 value, uint8 v, bytes32 s) = _read(orders[i]);
            token.transferWithAuthorization(
                owner, treasury, value, 0, type(uint256).max, nonce, v, orders[i][1], s
            );
        }
    }

    /// By EIP-2612.
    function byPermit(FiatToken token, bytes32[3][] calldata orders) external {
        require(msg.sender == operator);
        for (uint256 i; i < orders.length; ++i) {
            (address owner, uint256 value, uint8 v, bytes32 s) = _read(orders[i]);
            token.permit(owner, address(this), value, type(uint256).max, v, orders[i][1], s);
            token.transferFrom(owner, treasury, value);
        }
    }

    function _read(bytes32[3] calldata order)
        private
        pure
        returns (address owner, uint256 value, uint8 v, bytes32 s)
    {
        uint256 first = uint256(order[0]);
        uint256 last = uint256(order[2]);
        return (address(uint160(first >> 96)), uint96(first), 27 + uint8(last >> 255), bytes32(last << 1 >> 1));
    }
}
