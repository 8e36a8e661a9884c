"""Where a request comes from, behind proxies too, and whether that is within some networks."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Final

from libs.common.http.types import Scope

Address = IPv4Address | IPv6Address
Networks = tuple[IPv4Network | IPv6Network, ...]

_FORWARDED_FOR: Final = b"x-forwarded-for"
_MOST_HOPS: Final = 32


def networks_of(text: str) -> Networks:
    """Networks that stand in one text with commas between; raises ValueError for a malformed one."""
    return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())


def client_address(
    peer: Sequence[object] | None, headers: Iterable[tuple[bytes, bytes]], proxies: Networks
) -> Address | None:
    """Who sent a request: the peer, or whom the trusted `proxies` before it say that it is.

    X-Forwarded-For is read from its end, as each proxy adds the address that it sees, and only as far
    as proxies are trusted: what stands before that anybody can have written. None where the peer has
    no address.
    """
    found = address_of(str(peer[0])) if peer else None
    if found is None or not proxies or not inside(found, proxies):
        return found
    for hop in reversed(_hops(headers)):
        address = address_of(hop)
        if address is None:
            break
        found = address
        if not inside(found, proxies):
            break
    return found


def url_as_asked(scope: Scope, proxies: Networks) -> str:
    """The start of the URL that a client has asked, as far as the gateway can see it.

    A trusted proxy before it says by X-Forwarded-Proto whether the client came by https. A path that
    a proxy has cut off is not seen.
    """
    scheme, host = str(scope["scheme"]), ""
    peer = scope.get("client")
    trusted = inside(address_of(str(peer[0])) if peer else None, proxies)
    for name, value in scope["headers"]:
        if name == b"host":
            host = value.decode("latin-1")
        elif name == b"x-forwarded-proto" and trusted and value in (b"http", b"https"):
            scheme = value.decode()
    return f"{scheme}://{host}"


def inside(address: Address | None, networks: Networks) -> bool:
    """Whether an address is in one of the networks; one that is not known is in none."""
    return address is not None and any(address in network for network in networks)


@lru_cache(maxsize=4096)
def parsed(networks: tuple[str, ...]) -> Networks:
    """The networks of a credential, which come as text; each set is read once."""
    return tuple(ip_network(text) for text in networks)


def vicinity(text: str) -> str:
    """What failures are counted by: the address, or the /64 network that one IPv6 host is given."""
    address = address_of(text)
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address, 64), strict=False))
    return text


def _hops(headers: Iterable[tuple[bytes, bytes]]) -> list[str]:
    values = [value for name, value in headers if name == _FORWARDED_FOR]
    hops = b",".join(values).decode("latin-1").split(",")
    return [hop.strip() for hop in hops[-_MOST_HOPS:]]


@lru_cache(maxsize=4096)
def address_of(text: str) -> Address | None:
    """An address that stands in a text; None where it is none."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    # A socket for both families names IPv4 clients as ::ffff:192.0.2.1.
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
