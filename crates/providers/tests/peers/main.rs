//! Providers against the real servers that they talk to, started here on loopback.
//!
//! The programs come from Debian (`bind9`, `knot`), from PyPI (`moto[server]`), or from `cargo xtask tools`. Without them the tests fail and say so;
//! with `PORTOLAN_SKIP_DNS_PEERS` set they are left out.

mod bind;
mod built_in;
mod coredns;
mod knot;
mod process;
mod rfc2136;
#[cfg(feature = "route53")]
mod route53;
mod zone;
