//! Changes of rules and the commands that they amount to.

use std::time::Duration;

use super::*;

fn key() -> ObjectKey {
    ObjectKey::namespaced("shop", "web")
}

fn frontend(address: &str, protocol: Protocol) -> Frontend {
    Frontend { address: address.parse().expect("address"), protocol }
}

/// `address@node`, or an address alone.
fn backend(endpoints: &[&str]) -> Backend {
    let endpoint = |text: &&str| {
        let (address, node) = text.split_once('@').unwrap_or((text, ""));
        Endpoint {
            address: address.parse().expect("address"),
            node: (!node.is_empty()).then(|| Arc::from(node)),
        }
    };
    Backend { endpoints: endpoints.iter().map(endpoint).collect(), affinity: None, same_node: false }
}

fn ranges(text: &str) -> Ranges {
    text.parse().expect("ranges")
}

fn rules(backend: Backend) -> ServiceRules {
    ServiceRules { frontends: BTreeMap::from([(frontend("10.11.0.9:80", Protocol::Tcp), backend)]) }
}

fn nodes() -> NodeNumbers {
    BTreeMap::from([(Arc::from("a"), 0), (Arc::from("b"), 1)])
}

/// The commands without what all of them share.
fn commands(old: &ServiceRules, new: &ServiceRules) -> Vec<String> {
    let text = change(&key(), old, new, &nodes(), &ranges("10.11.0.0/16"));
    text.lines()
        .map(|line| line.replace("ip portolan ", "").replace("shop/web/10.11.0.9/tcp/80", "WEB"))
        .collect()
}

#[test]
fn a_new_service() {
    let none = ServiceRules::default();
    assert_eq!(
        commands(&none, &rules(backend(&["10.10.0.5:8080", "10.12.0.5:8080"]))),
        [
            "add chain e-WEB/10.10.0.5/8080",
            "add rule e-WEB/10.10.0.5/8080 ip saddr 10.10.0.5 meta mark set meta mark or 0x1",
            "add rule e-WEB/10.10.0.5/8080 meta l4proto tcp dnat to 10.10.0.5:8080",
            "add chain e-WEB/10.12.0.5/8080",
            "add rule e-WEB/10.12.0.5/8080 ip saddr 10.12.0.5 meta mark set meta mark or 0x1",
            "add rule e-WEB/10.12.0.5/8080 meta l4proto tcp dnat to 10.12.0.5:8080",
            "add chain f-WEB",
            "add rule f-WEB numgen random mod 2 vmap { 0 : goto e-WEB/10.10.0.5/8080, 1 : goto e-WEB/10.12.0.5/8080 }",
            "add element frontends { 10.11.0.9 . tcp . 80 : goto f-WEB }",
        ]
    );
    assert_eq!(
        commands(&none, &rules(backend(&[]))),
        ["add element refused { 10.11.0.9 . tcp . 80 : goto refuse }"]
    );
}

#[test]
fn what_stays_the_same_is_left_alone() {
    let same = rules(backend(&["10.10.0.5:8080"]));
    assert_eq!(commands(&same, &same), Vec::<String>::new());
    let other = frontend("10.11.0.9:53", Protocol::Udp);
    let mut more = same.clone();
    more.frontends.insert(other, backend(&["10.10.0.5:53"]));
    let added = commands(&same, &more);
    assert!(!added.is_empty() && added.iter().all(|line| !line.contains("WEB")), "{added:?}");
    assert_eq!(
        added.last().map(String::as_str),
        Some("add element frontends { 10.11.0.9 . udp . 53 : goto f-shop/web/10.11.0.9/udp/53 }")
    );
}

#[test]
fn a_service_that_is_gone_leaves_nothing() {
    let sticky = Backend { affinity: Some(Duration::from_secs(10)), ..backend(&["10.10.0.5:8080"]) };
    assert_eq!(
        commands(&rules(sticky), &ServiceRules::default()),
        [
            "delete element frontends { 10.11.0.9 . tcp . 80 }",
            "flush chain f-WEB",
            "flush chain e-WEB/10.10.0.5/8080",
            "delete chain f-WEB",
            "delete chain e-WEB/10.10.0.5/8080",
            "delete set s-WEB/10.10.0.5/8080-10",
        ]
    );
    assert_eq!(
        commands(&rules(backend(&[])), &ServiceRules::default()),
        ["delete element refused { 10.11.0.9 . tcp . 80 }"]
    );
}

#[test]
fn clients_stay_with_endpoints_that_stay() {
    let sticky = |endpoints: &[&str], seconds| {
        rules(Backend { affinity: Some(Duration::from_secs(seconds)), ..backend(endpoints) })
    };
    let about = |commands: Vec<String>, word: &str| -> Vec<String> {
        commands.into_iter().filter(|line| line.contains(word)).collect()
    };
    let change = commands(&sticky(&["10.10.0.5:1", "10.10.0.6:1"], 10), &sticky(&["10.10.0.6:1"], 10));
    assert_eq!(about(change.clone(), "delete set"), ["delete set s-WEB/10.10.0.5/1-10"]);
    assert_eq!(
        about(change, "s-WEB/10.10.0.6/1-10"),
        [
            "add set s-WEB/10.10.0.6/1-10 { type ipv4_addr; flags dynamic,timeout; timeout 10s; size 65535; }",
            "add rule e-WEB/10.10.0.6/1 update @s-WEB/10.10.0.6/1-10 { ip saddr }",
            "add rule f-WEB ip saddr @s-WEB/10.10.0.6/1-10 goto e-WEB/10.10.0.6/1",
        ]
    );
    let other = commands(&sticky(&["10.10.0.6:1"], 10), &sticky(&["10.10.0.6:1"], 20));
    assert_eq!(
        about(other, "delete set"),
        ["delete set s-WEB/10.10.0.6/1-10"],
        "another timeout is another set"
    );
}

#[test]
fn local_traffic_stays_on_its_node() {
    let local = Backend {
        same_node: true,
        ..backend(&["10.10.0.5:1@a", "10.10.0.6:1@b", "10.10.0.7:1@b", "10.12.0.5:1@elsewhere"])
    };
    let added = commands(&ServiceRules::default(), &rules(local.clone()));
    let choices: Vec<&String> = added.iter().filter(|line| line.contains("rule f-")).collect();
    assert_eq!(
        choices,
        [
            "add rule f-WEB/0 numgen random mod 1 vmap { 0 : goto e-WEB/10.10.0.5/1 }",
            "add rule f-WEB iifname \"node-0\" goto f-WEB/0",
            "add rule f-WEB/1 numgen random mod 2 vmap { 0 : goto e-WEB/10.10.0.6/1, 1 : goto e-WEB/10.10.0.7/1 }",
            "add rule f-WEB iifname \"node-1\" goto f-WEB/1",
        ]
    );
    let removed = commands(&rules(local), &ServiceRules::default());
    for chain in ["f-WEB", "f-WEB/0", "f-WEB/1", "e-WEB/10.12.0.5/1"] {
        assert!(removed.contains(&format!("delete chain {chain}")), "{chain}: {removed:?}");
    }
}

#[test]
fn names_fit_the_kernel() {
    let longest = ObjectKey::namespaced("n".repeat(63), "s".repeat(63));
    let address = "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535";
    let name =
        sticky_set(&longest, frontend(address, Protocol::Sctp), address.parse().expect("address"), 86_400);
    assert!(name.len() < 256, "{}", name.len());
}

#[test]
fn each_family_has_a_table_of_its_own() {
    let sticky = Backend { affinity: Some(Duration::from_secs(10)), ..backend(&["[fd00::5]:1"]) };
    let other =
        ServiceRules { frontends: BTreeMap::from([(frontend("[fd00::9]:80", Protocol::Tcp), sticky)]) };
    let none = ServiceRules::default();
    assert_eq!(commands(&none, &other), Vec::<String>::new(), "a cluster without IPv6");
    let text = change(&key(), &none, &other, &nodes(), &ranges("10.11.0.0/16,fd00:11::/112"));
    let lines: Vec<String> = text
        .lines()
        .map(|line| line.replace("ip6 portolan ", "").replace("shop/web/fd00__9/tcp/80", "WEB"))
        .collect();
    assert_eq!(
        lines,
        [
            "add chain e-WEB/fd00__5/1",
            "add rule e-WEB/fd00__5/1 ip6 saddr fd00::5 meta mark set meta mark or 0x1",
            "add set s-WEB/fd00__5/1-10 { type ipv6_addr; flags dynamic,timeout; timeout 10s; size 65535; }",
            "add rule e-WEB/fd00__5/1 update @s-WEB/fd00__5/1-10 { ip6 saddr }",
            "add rule e-WEB/fd00__5/1 meta l4proto tcp dnat to [fd00::5]:1",
            "add chain f-WEB",
            "add rule f-WEB ip6 saddr @s-WEB/fd00__5/1-10 goto e-WEB/fd00__5/1",
            "add rule f-WEB numgen random mod 1 vmap { 0 : goto e-WEB/fd00__5/1 }",
            "add element frontends { fd00::9 . tcp . 80 : goto f-WEB }",
        ]
    );
}

#[test]
fn only_datagrams_are_remembered_by_the_kernel() {
    let both = |endpoints: &[&str]| {
        let frontends =
            [Protocol::Udp, Protocol::Tcp].map(|p| (frontend("10.11.0.9:53", p), backend(endpoints)));
        ServiceRules { frontends: frontends.into() }
    };
    let address = |text: &str| text.parse::<SocketAddr>().expect("address");
    let (frontend, one, two) = (address("10.11.0.9:53"), address("10.10.0.5:53"), address("10.10.0.6:53"));
    let old = both(&["10.10.0.5:53", "10.10.0.6:53"]);
    assert_eq!(lost_flows(&old, &both(&["10.10.0.6:53"])), [(frontend, one)]);
    assert_eq!(lost_flows(&old, &ServiceRules::default()), [(frontend, one), (frontend, two)]);
    assert_eq!(lost_flows(&old, &old), []);
}

#[test]
fn links() {
    assert_eq!(link("to-1", true, &ranges("10.11.0.0/16")), "add element ip portolan cut { \"to-1\" }\n");
    assert_eq!(
        link("to-1", false, &ranges("10.11.0.0/16")),
        "add element ip portolan cut { \"to-1\" }\ndelete element ip portolan cut { \"to-1\" }\n"
    );
    assert_eq!(
        link("to-1", true, &ranges("10.11.0.0/16,fd00:11::/112")),
        "add element ip portolan cut { \"to-1\" }\nadd element ip6 portolan cut { \"to-1\" }\n"
    );
}
