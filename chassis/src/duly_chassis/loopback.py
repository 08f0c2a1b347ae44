"""Whether an address is this machine: what a replay may talk to, and what needs no token."""

from ipaddress import IPv6Address, ip_address


def is_loopback(host: str) -> bool:
    """Tell without asking a resolver: of names only localhost is, for any other could be pointed elsewhere."""
    if host == "localhost":
        return True
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback
