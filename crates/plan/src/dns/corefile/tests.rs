use super::*;

const PLAIN: &str = "\
.:53 {
    errors
    health {
       lameduck 5s
    }
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
    }
    forward . /etc/resolv.conf
    cache 30
    reload
}
";
const ZONE: &str = "clusterset.local";

fn misplaced(line: usize) -> CorefileError {
    CorefileError::Marks { begin: BEGIN.to_owned(), end: END.to_owned(), line }
}

fn servers(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn block(server: &str) -> String {
    format!("{BEGIN}\nclusterset.local:53 {{\n    errors\n    cache 5\n    forward . {server}\n}}\n{END}\n")
}

#[test]
fn installs_and_uninstalls() {
    let ours = block("10.96.0.53");
    let foreign = "example.org:53 {\n    forward . 192.0.2.1\n}\n";
    let cases = [
        ("an ordinary Corefile", PLAIN.to_owned(), format!("{PLAIN}{ours}")),
        ("an empty one", String::new(), ours.clone()),
        ("no line end at the end", PLAIN.trim_end().to_owned(), format!("{}\n{ours}", PLAIN.trim_end())),
        ("our block is there", format!("{PLAIN}{ours}"), format!("{PLAIN}{ours}")),
        (
            "our block with another address, and a block behind it",
            format!("{PLAIN}{}{foreign}", block("10.0.0.1")),
            format!("{PLAIN}{ours}{foreign}"),
        ),
        (
            "our block indented, and a character of several bytes behind it",
            format!("  {BEGIN}\n{END}\n# \u{e9}\n"),
            format!("{ours}# \u{e9}\n"),
        ),
        (
            "the mark inside of a comment before our block",
            format!("# see {BEGIN}\n{}", block("10.0.0.1")),
            format!("# see {BEGIN}\n{ours}"),
        ),
        (
            "the zone inside of another block or comment",
            "# clusterset.local\n.:53 {\n  rewrite name clusterset.local a\n}\n".to_owned(),
            format!("# clusterset.local\n.:53 {{\n  rewrite name clusterset.local a\n}}\n{ours}"),
        ),
    ];
    for (name, before, want) in cases {
        let installed = install(&before, "ClusterSet.local.", &servers(&["10.96.0.53"])).unwrap();
        assert_eq!(installed, want, "{name}");
        assert_eq!(install(&installed, ZONE, &servers(&["10.96.0.53"])).unwrap(), installed, "{name}: again");
        let removed = uninstall(&installed).unwrap();
        assert_eq!(uninstall(&removed).unwrap(), removed, "{name}: again");
        assert!(!removed.lines().any(|line| line.trim() == BEGIN), "{name}: {removed}");
        if !before.contains(BEGIN) {
            assert_eq!(removed.trim_end(), before.trim_end(), "{name}: as before");
        }
    }
    let both = install("", ZONE, &servers(&["10.96.0.53", "fd96::35"])).unwrap();
    assert!(both.contains("forward . 10.96.0.53 fd96::35\n"), "{both}");
}

#[test]
fn refuses() {
    let one = servers(&["10.96.0.53"]);
    let taken = |line| CorefileError::Taken { zone: ZONE.to_owned(), line };
    let cases: [(&str, String, &str, &[IpAddr], CorefileError); 9] = [
        ("a foreign block", format!("{PLAIN}clusterset.local {{\n}}\n"), ZONE, &one, taken(13)),
        ("with port and scheme", "dns://ClusterSet.local.:53 {\n}\n".to_owned(), ZONE, &one, taken(1)),
        ("among several names", "a.org, clusterset.local b.org {\n}\n".to_owned(), ZONE, &one, taken(1)),
        ("names on two lines", "a.org\nclusterset.local {\n}\n".to_owned(), ZONE, &one, taken(2)),
        ("a mark without its end", format!("{BEGIN}\nx\n"), ZONE, &one, misplaced(1)),
        ("a mark without its beginning", format!("x\n{END}\n"), ZONE, &one, misplaced(2)),
        ("two blocks", format!("{0}{0}", block("10.0.0.1")), ZONE, &one, misplaced(8)),
        ("no zone", String::new(), "a b", &one, CorefileError::Zone { zone: "a b".to_owned() }),
        ("no address", String::new(), ZONE, &[], CorefileError::NoAddress { zone: ZONE.to_owned() }),
    ];
    for (name, corefile, zone, servers, want) in cases {
        assert_eq!(install(&corefile, zone, servers), Err(want), "{name}");
    }
}

#[test]
fn differences() {
    let cases = [
        ("none", "a\n", "a\n", ""),
        (
            "added at the end",
            "a\nb\nc\nd\n",
            "a\nb\nc\nd\ne\n",
            "--- f\n+++ f\n@@ -2,3 +2,4 @@\n b\n c\n d\n+e\n",
        ),
        (
            "removed at the start",
            "x\na\nb\nc\nd\n",
            "a\nb\nc\nd\n",
            "--- f\n+++ f\n@@ -1,4 +1,3 @@\n-x\n a\n b\n c\n",
        ),
        ("replaced", "a\nx\nb\n", "a\ny\nz\nb\n", "--- f\n+++ f\n@@ -1,3 +1,4 @@\n a\n-x\n+y\n+z\n b\n"),
        ("repeated lines", "a\na\n", "a\na\na\n", "--- f\n+++ f\n@@ -1,2 +1,3 @@\n a\n a\n+a\n"),
    ];
    for (name, old, new, want) in cases {
        assert_eq!(difference("f", old, new), want, "{name}");
    }
}
