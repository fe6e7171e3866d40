//! The Corefile block that answers the names of a federation in pods: `SERVICE.NAMESPACE.FEDERATION`, as the clusters of
//! Federation v1 did (kubernetes/dns pkg/dns/federation).
//!
//! CoreDNS leads such a name to the public name of the Service in the zone of the cluster, and looks that one up. The public
//! name has the shard of the zone while it is healthy, and leads to the nearest healthy one otherwise.

use portolan_object::dns_label::{is_host_name, is_label};

use super::block::{CACHE_SECS, CorefileError, Marks, put_block, split_block};

/// Which names a block answers, and where it leads them.
#[derive(Debug, Clone, Copy)]
pub struct FederationNames<'a> {
    /// Name of the federation.
    pub federation: &'a str,
    /// Domain of the cluster, usually `cluster.local`.
    pub cluster_domain: &'a str,
    /// Region of the cluster; empty if it has none.
    pub region: &'a str,
    /// Zone of the cluster; empty if it has none. A zone without a region does not count.
    pub zone: &'a str,
    /// The public domain of the federation.
    pub domain: &'a str,
}

impl FederationNames<'_> {
    /// The zone that the block answers for.
    fn origin(&self) -> String {
        let domain = self.cluster_domain.trim_end_matches('.').to_ascii_lowercase();
        format!("{}.svc.{domain}", self.federation)
    }

    /// What follows service, namespace and federation in a public name.
    fn suffix(&self) -> String {
        let place = match (self.region, self.zone) {
            ("", _) => String::new(),
            (region, "") => format!("{region}."),
            (region, zone) => format!("{zone}.{region}."),
        };
        format!("svc.{place}{}.", self.domain.trim_end_matches('.').to_ascii_lowercase())
    }
}

/// The Corefile with a block for the names of a federation. Replaces a present block; idempotent.
///
/// # Errors
/// When a name is malformed, another server block answers for it, or the marker comments are not a pair.
pub fn install_federation(corefile: &str, names: &FederationNames<'_>) -> Result<String, CorefileError> {
    let (origin, suffix) = (names.origin(), names.suffix());
    for name in [&origin, suffix.trim_start_matches("svc.").trim_end_matches('.')].map(str::to_owned) {
        if !is_host_name(&name) || !is_label(names.federation) {
            return Err(CorefileError::Zone { zone: name });
        }
    }
    let pattern = origin.replace('.', "[.]");
    let federation = names.federation;
    let block = format!(
        "{origin}:53 {{\n    errors\n    cache {CACHE_SECS}\n    template IN ANY {{\n        \
         match \"^(?P<service>[^.]+)[.](?P<namespace>[^.]+)[.]{pattern}[.]$\"\n        \
         answer \"{{{{ .Name }}}} {CACHE_SECS} IN CNAME \
         {{{{ .Group.service }}}}.{{{{ .Group.namespace }}}}.{federation}.{suffix}\"\n        upstream\n        \
         fallthrough\n    }}\n    template IN ANY {{\n        rcode NXDOMAIN\n    }}\n}}\n"
    );
    let (begin, end) = marks(federation);
    put_block(corefile, &origin, Marks { begin: &begin, end: &end }, &block)
}

/// The Corefile without the block of a federation; unchanged if it has none.
///
/// # Errors
/// [`CorefileError::Marks`] when the marker comments are not a pair.
pub fn uninstall_federation(corefile: &str, federation: &str) -> Result<String, CorefileError> {
    let (begin, end) = marks(federation);
    split_block(corefile, Marks { begin: &begin, end: &end }).map(|(rest, _)| rest)
}

fn marks(federation: &str) -> (String, String) {
    let begin =
        format!("# BEGIN federation {federation}: this block is changed and removed by `portolan dns`");
    (begin, format!("# END federation {federation}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const COREFILE: &str = ".:53 {\n    forward . /etc/resolv.conf\n}\n";

    fn names<'a>(region: &'a str, zone: &'a str) -> FederationNames<'a> {
        FederationNames {
            federation: "myfed",
            cluster_domain: "cluster.local",
            region,
            zone,
            domain: "example.com",
        }
    }

    #[test]
    fn a_name_of_the_federation_leads_to_the_public_name_of_the_zone() {
        let installed =
            install_federation(COREFILE, &names("us-central1", "us-central1-a")).expect("a block");
        let want = "# BEGIN federation myfed: this block is changed and removed by `portolan dns`
myfed.svc.cluster.local:53 {
    errors
    cache 5
    template IN ANY {
        match \"^(?P<service>[^.]+)[.](?P<namespace>[^.]+)[.]myfed[.]svc[.]cluster[.]local[.]$\"
        answer \"{{ .Name }} 5 IN CNAME {{ .Group.service }}.{{ .Group.namespace }}.myfed.svc.us-central1-a.us-central1.example.com.\"
        upstream
        fallthrough
    }
    template IN ANY {
        rcode NXDOMAIN
    }
}
# END federation myfed
";
        assert_eq!(installed, format!("{COREFILE}{want}"));
        let again = install_federation(&installed, &names("us-central1", "us-central1-a"));
        assert_eq!(again.as_ref(), Ok(&installed));
        assert_eq!(uninstall_federation(&installed, "myfed").as_deref(), Ok(COREFILE));
        assert_eq!(uninstall_federation(&installed, "other"), Ok(installed));
    }

    #[test]
    fn a_cluster_without_a_zone_uses_the_names_of_its_region_or_the_global_ones() {
        for (region, zone, want) in [
            ("us", "", ".myfed.svc.us.example.com.\""),
            ("", "us-a", ".myfed.svc.example.com.\""),
            ("", "", ".myfed.svc.example.com.\""),
        ] {
            let installed = install_federation(COREFILE, &names(region, zone)).expect("a block");
            assert!(installed.contains(want), "{installed}");
        }
    }

    #[test]
    fn what_is_no_name_or_taken_is_refused() {
        let bad = FederationNames { federation: "my.fed", ..names("", "") };
        assert!(matches!(install_federation(COREFILE, &bad), Err(CorefileError::Zone { .. })));
        let bad = FederationNames { domain: "exa mple", ..names("", "") };
        assert!(matches!(install_federation(COREFILE, &bad), Err(CorefileError::Zone { .. })));
        let taken = format!("{COREFILE}myfed.svc.cluster.local {{\n    whoami\n}}\n");
        assert!(matches!(install_federation(&taken, &names("", "")), Err(CorefileError::Taken { .. })));
    }
}
