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
        let [a, b, ..] = ip.octets();
        // Azure's wire server and Alibaba's metadata service stand outside the link-local range.
        if ip.is_link_local() || ip == Ipv4Addr::new(168, 63, 129, 16) || ip == Ipv4Addr::new(100, 100, 100, 200) {
            return Err(Refused::LinkLocal);
        }
        if a == 0 || ip.is_multicast() || ip.is_broadcast() || a >= 240 {
            return Err(Refused::NotAHost);
        }
        let shared = a == 100 && (64..128).contains(&b);
        let private = ip.is_loopback() || ip.is_private() || shared;
        if private && !self.allow_private { Err(Refused::Private) } else { Ok(()) }
    }

    fn check_v6(&self, ip: Ipv6Addr) -> Result<(), Refused> {
        const EC2_METADATA: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
        if ip.is_unicast_link_local() || ip == EC2_METADATA {
            return Err(Refused::LinkLocal);
        }
        if ip.is_unspecified() || ip.is_multicast() {
            return Err(Refused::NotAHost);
        }
        let private = ip.is_loopback() || ip.is_unique_local();
        if private && !self.allow_private { Err(Refused::Private) } else { Ok(()) }
    }
}

/// The IPv4 address inside an IPv6 one: mapped, compatible, NAT64 (RFC 6052), 6to4 (RFC 3056).
fn canonical(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = ip else { return ip };
    let [a, b, c, d, e, f, g, h] = v6.segments();
    let v4 = |high: u16, low: u16| IpAddr::V4(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)));
    match (a, b) {
        (0, 0) if (c, d, e) == (0, 0, 0) && (f == 0xffff || (f == 0 && (g, h) != (0, 0) && (g, h) != (0, 1))) => {
            v4(g, h)
        }
        (0x64, 0xff9b) => v4(g, h),
        (0x2002, _) => v4(b, c),
        _ => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(policy: &AddressPolicy, ip: &str) -> Result<(), Refused> {
        policy.check(SocketAddr::new(ip.parse().expect("an address"), 80))
    }

    #[test]
    fn metadata_and_link_local_addresses_are_refused_in_every_disguise() {
        let open = AddressPolicy { allow_private: true, own_listeners: vec![] };
        for ip in [
            "169.254.169.254",
            "169.254.0.1",
            "::ffff:169.254.169.254",
            "::169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::",
            "fe80::1",
            "fd00:ec2::254",
            "100.100.100.200",
            "168.63.129.16",
        ] {
            assert_eq!(check(&open, ip), Err(Refused::LinkLocal), "{ip}");
        }
    }

    #[test]
    fn what_is_not_a_host_is_refused() {
        let open = AddressPolicy { allow_private: true, own_listeners: vec![] };
        for ip in ["0.0.0.0", "0.1.2.3", "224.0.0.1", "255.255.255.255", "240.0.0.1", "::", "ff02::1", "::ffff:0.0.0.0"]
        {
            assert_eq!(check(&open, ip), Err(Refused::NotAHost), "{ip}");
        }
    }

    #[test]
    fn private_addresses_follow_the_setting() {
        let open = AddressPolicy { allow_private: true, own_listeners: vec![] };
        let closed = AddressPolicy::default();
        for ip in
            ["127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "::1", "fc00::1", "::ffff:127.0.0.1"]
        {
            assert_eq!(check(&open, ip), Ok(()), "{ip}");
            assert_eq!(check(&closed, ip), Err(Refused::Private), "{ip}");
        }
        assert_eq!(check(&closed, "1.1.1.1"), Ok(()));
        assert_eq!(check(&closed, "2606:4700::1111"), Ok(()));
    }

    #[test]
    fn our_own_listener_is_never_an_upstream() {
        let own = "0.0.0.0:3000".parse().expect("an address");
        let policy = AddressPolicy { allow_private: true, own_listeners: vec![own] };
        assert_eq!(policy.check("127.0.0.1:3000".parse().expect("an address")), Err(Refused::OwnListener));
        assert_eq!(policy.check("127.0.0.1:3001".parse().expect("an address")), Ok(()));
    }
}
