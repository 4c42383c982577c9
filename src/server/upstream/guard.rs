//! Which addresses may be connected to (gateway.md §10).
//!
//! Checked on the resolved address, in the connector, IP literals included: a name that resolves to
//! a metadata service is as bad as its number.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Why an address is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// 169.254.0.0/16, fe80::/10 and the metadata services of clouds.
    #[error("link-local and metadata addresses are never allowed")]
    LinkLocal,
    /// 0.0.0.0/8, ::, multicast, broadcast, reserved.
    #[error("this is not the address of a host")]
    NotAHost,
    /// One of our own listeners: a loop.
    #[error("this is Rondo's own address")]
    OwnListener,
    /// Loopback and private ranges while `RONDO_ALLOW_PRIVATE_UPSTREAMS` is off.
    #[error("private addresses are switched off (RONDO_ALLOW_PRIVATE_UPSTREAMS)")]
    Private,
}

/// The policy of this process.
#[derive(Clone, Debug, Default)]
pub struct AddressPolicy {
    /// Whether loopback and private ranges are allowed: Ollama and vLLM live there.
    pub allow_private: bool,
    /// Addresses this process listens on.
    pub own_listeners: Vec<SocketAddr>,
}

impl AddressPolicy {
    /// Checks one resolved address.
    pub fn check(&self, address: SocketAddr) -> Result<(), Refused> {
        let ip = canonical(address.ip());
        match ip {
            IpAddr::V4(v4) => self.check_v4(v4)?,
            IpAddr::V6(v6) => self.check_v6(v6)?,
        }
        let own = self.own_listeners.iter().any(|own| {
            own.port() == address.port()
                && (canonical(own.ip()) == ip || (own.ip().is_unspecified() && ip.is_loopback()))
        });
        if own { Err(Refused::OwnListener) } else { Ok(()) }
    }

    fn check_v4(&self, ip: Ipv4Addr) -> Result<(), Refused> {
        let [a, b, c, _] = ip.octets();
        if ip.is_link_local() || METADATA_V4.contains(&ip) {
            return Err(Refused::LinkLocal);
        }
        let documentation = matches!((a, b, c), (192, 0, 2) | (198, 51, 100) | (203, 0, 113));
        if a == 0 || ip.is_multicast() || ip.is_broadcast() || a >= 240 || documentation {
            return Err(Refused::NotAHost);
        }
        // Carriers' shared space (RFC 6598), IETF protocol assignments (RFC 6890), benchmarks (RFC 2544).
        let special = (a == 100 && (64..128).contains(&b)) || (a, b, c) == (192, 0, 0) || (a == 198 && b & !1 == 18);
        let private = ip.is_loopback() || ip.is_private() || special;
        if private && !self.allow_private { Err(Refused::Private) } else { Ok(()) }
    }

    fn check_v6(&self, ip: Ipv6Addr) -> Result<(), Refused> {
        if ip.is_unicast_link_local() || METADATA_V6.contains(&ip) {
            return Err(Refused::LinkLocal);
        }
        let [a, b, ..] = ip.segments();
        let documentation = (a == 0x2001 && b == 0xdb8) || (a == 0x3fff && b < 0x1000);
        // 100::/64 throws away what it gets (RFC 6666).
        let discards = ip.segments()[..4] == [0x100, 0, 0, 0];
        if ip.is_unspecified() || ip.is_multicast() || documentation || discards {
            return Err(Refused::NotAHost);
        }
        // fec0::/10 was once what fc00::/7 is (RFC 3879).
        let private = ip.is_loopback() || ip.is_unique_local() || a & 0xffc0 == 0xfec0;
        if private && !self.allow_private { Err(Refused::Private) } else { Ok(()) }
    }
}

/// Metadata services outside of the link-local range: Azure's wire server, Alibaba's, Oracle's first.
const METADATA_V4: [Ipv4Addr; 3] =
    [Ipv4Addr::new(168, 63, 129, 16), Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(192, 0, 0, 192)];

/// Those of Amazon and Google on IPv6.
const METADATA_V6: [Ipv6Addr; 2] =
    [Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254), Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)];

/// The IPv4 address inside an IPv6 one: mapped, compatible, translated (RFC 2765), NAT64 (RFC 6052, RFC
/// 8215), 6to4 (RFC 3056), Teredo (RFC 4380), ISATAP (RFC 5214).
fn canonical(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = ip else { return ip };
    let [a, b, c, d, e, f, g, h] = v6.segments();
    let v4 = |high: u16, low: u16| IpAddr::V4(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)));
    match (a, b) {
        (0, 0) if (c, d, e) == (0, 0, 0) && (f == 0xffff || (f == 0 && (g, h) != (0, 0) && (g, h) != (0, 1))) => {
            v4(g, h)
        }
        (0, 0) if (c, d, e, f) == (0, 0, 0xffff, 0) => v4(g, h),
        (0x64, 0xff9b) => v4(g, h),
        (0x2002, _) => v4(b, c),
        (0x2001, 0) => v4(!g, !h),
        _ if e & !0x200 == 0 && f == 0x5efe => v4(g, h),
        _ => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(policy: &AddressPolicy, ip: &str) -> Result<(), Refused> {
        policy.check(SocketAddr::new(ip.parse().expect("an address"), 80))
    }

    const LINK_LOCAL: [&str; 27] = [
        "169.254.169.254",
        "169.254.170.2",
        "169.254.0.0",
        "169.254.255.255",
        "168.63.129.16",
        "100.100.100.200",
        "192.0.0.192",
        "::ffff:169.254.169.254",
        "::ffff:a9fe:a9fe",
        "0:0:0:0:0:ffff:169.254.169.254",
        "::169.254.169.254",
        "::a9fe:a9fe",
        "::ffff:0:169.254.169.254",
        "64:ff9b::169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::a9fe:a9fe",
        "2002:a9fe:a9fe::",
        "2002:a9fe:a9fe::1",
        "2001:0:4136:e378:8000:63bf:5601:5601",
        "2001:db9::5efe:169.254.169.254",
        "2001:db9::200:5efe:169.254.169.254",
        "::ffff:168.63.129.16",
        "::ffff:100.100.100.200",
        "fe80::1",
        "febf::1",
        "fd00:ec2::254",
        "fd20:ce::254",
    ];

    const NOT_A_HOST: [&str; 24] = [
        "0.0.0.0",
        "0.1.2.3",
        "0.255.255.255",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "254.1.1.1",
        "255.255.255.255",
        "192.0.2.1",
        "198.51.100.1",
        "203.0.113.1",
        "::",
        "::ffff:0.0.0.0",
        "::ffff:224.0.0.1",
        "::ffff:255.255.255.255",
        "64:ff9b::",
        "2002::",
        "2002:e000:1::",
        "ff02::1",
        "ff05::2",
        "ff0e::1",
        "2001:db8::1",
        "3fff::1",
        "100::1",
    ];

    const PRIVATE: [&str; 26] = [
        "127.0.0.1",
        "127.1.2.3",
        "127.255.255.255",
        "10.0.0.1",
        "10.255.255.255",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.0.1",
        "192.168.255.255",
        "100.64.0.1",
        "100.127.255.255",
        "192.0.0.1",
        "198.18.0.1",
        "198.19.255.255",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::127.0.0.1",
        "::ffff:0:127.0.0.1",
        "64:ff9b::127.0.0.1",
        "64:ff9b::192.168.1.1",
        "2002:7f00:1::",
        "2002:c0a8:101::1",
        "fc00::1",
        "fdff::1",
        "fec0::1",
    ];

    #[test]
    fn metadata_and_link_local_addresses_are_refused_in_every_disguise() {
        let open = AddressPolicy { allow_private: true, own_listeners: vec![] };
        for ip in LINK_LOCAL {
            assert_eq!(check(&open, ip), Err(Refused::LinkLocal), "{ip}");
        }
    }

    #[test]
    fn what_is_not_a_host_is_refused() {
        let open = AddressPolicy { allow_private: true, own_listeners: vec![] };
        for ip in NOT_A_HOST {
            assert_eq!(check(&open, ip), Err(Refused::NotAHost), "{ip}");
        }
    }

    #[test]
    fn private_addresses_follow_the_setting() {
        let open = AddressPolicy { allow_private: true, own_listeners: vec![] };
        let closed = AddressPolicy::default();
        for ip in PRIVATE {
            assert_eq!(check(&open, ip), Ok(()), "{ip}");
            assert_eq!(check(&closed, ip), Err(Refused::Private), "{ip}");
        }
        for ip in ["1.1.1.1", "100.63.0.1", "172.32.0.1", "198.20.0.1", "2606:4700::1111", "64:ff9b::1.1.1.1"] {
            assert_eq!(check(&closed, ip), Ok(()), "{ip}");
        }
    }

    #[test]
    fn our_own_listener_is_never_an_upstream() {
        let own = "0.0.0.0:3000".parse().expect("an address");
        let policy = AddressPolicy { allow_private: true, own_listeners: vec![own] };
        assert_eq!(policy.check("127.0.0.1:3000".parse().expect("an address")), Err(Refused::OwnListener));
        assert_eq!(policy.check("127.0.0.1:3001".parse().expect("an address")), Ok(()));
    }
}
