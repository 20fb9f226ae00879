"""The registrable domain of a host, by rule of thumb and without a network.

The last two labels, or three when the second-level label is one that registries sell below (`co.uk`) or
the domain belongs to a hosting service whose customers are strangers to each other (`name.github.io`). A
shared suffix missing from these lists makes `mode=domain` wider than meant; `mode=subdomains` or `host`
never depends on them.
"""

import ipaddress

_SECOND_LEVEL = frozenset({
    "ac", "asn", "co", "com", "csiro", "edu", "firm", "gen", "go", "gob", "gouv", "gov", "gv", "id",
    "in", "ind", "info", "judiciary", "law", "ltd", "me", "mil", "ne", "net", "nhs", "nic", "nom", "or",
    "org", "plc", "police", "sch", "school", "web",
})  # fmt: skip
_HOSTING = frozenset({
    "appspot.com", "azurestaticapps.net", "azurewebsites.net", "blogspot.com", "cloudfront.net",
    "firebaseapp.com", "fly.dev", "github.io", "gitlab.io", "herokuapp.com", "myshopify.com",
    "neocities.org", "netlify.app", "onrender.com", "pages.dev", "readthedocs.io", "sourceforge.io",
    "surge.sh", "vercel.app", "web.app", "wordpress.com", "workers.dev",
})  # fmt: skip


def registrable_domain(host: str) -> str:
    """Return the domain that one owner registered, for a canonical host without port; an IP address is
    itself."""
    if host.startswith("["):
        return host
    try:
        ipaddress.ip_address(host)
    except ValueError:
        pass
    else:
        return host
    labels = host.split(".")
    suffix = ".".join(labels[-2:])
    is_shared = suffix in _HOSTING or (len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _SECOND_LEVEL)
    return ".".join(labels[-3:]) if is_shared else suffix
