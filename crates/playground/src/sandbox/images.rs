//! Which installed or built-in program an image stands for.
//!
//! Pure. A table maps the names of images, from any registry and with any tag, to programs of this machine; an image
//! that is in no table still runs when its command is installed here.

use std::path::PathBuf;

use crate::programs;

/// An image that installed programs stand for.
struct Installed {
    /// The end of the repository names that mean it: whole path segments.
    repositories: &'static [&'static str],
    entrypoint: &'static [&'static str],
    command: &'static [&'static str],
    /// Programs without which it is not the image that it says.
    programs: &'static [&'static str],
    has_busybox: bool,
}

const IMAGES: &[Installed] = &[
    Installed {
        repositories: &["socat"],
        entrypoint: &["socat"],
        command: &[],
        // The real image is an Alpine, whose shell this is.
        programs: &["socat", "busybox"],
        has_busybox: true,
    },
    Installed {
        repositories: &["netshoot"],
        entrypoint: &[],
        command: &["bash"],
        programs: &["bash", "nslookup", "dig", "nc", "curl"],
        has_busybox: false,
    },
    Installed {
        repositories: &["busybox", "alpine"],
        entrypoint: &[],
        command: &["sh"],
        programs: &["busybox"],
        has_busybox: true,
    },
    Installed {
        repositories: &["curl"],
        entrypoint: &["curl"],
        command: &[],
        programs: &["curl"],
        has_busybox: false,
    },
    Installed {
        repositories: &["debian", "ubuntu"],
        entrypoint: &[],
        command: &["bash"],
        programs: &["bash"],
        has_busybox: false,
    },
];

/// The Debian packages of programs that images need or users ask for.
const PACKAGES: &[(&str, &str)] = &[
    ("bash", "bash"),
    ("busybox", "busybox"),
    ("curl", "curl"),
    ("dig", "bind9-dnsutils"),
    ("ip", "iproute2"),
    ("nc", "netcat-openbsd"),
    ("nslookup", "bind9-dnsutils"),
    ("ping", "iputils-ping"),
    ("python3", "python3"),
    ("socat", "socat"),
    ("tar", "tar"),
    ("tcpdump", "tcpdump"),
    ("wget", "wget"),
];

/// What a container starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Launch {
    /// The command line.
    pub(crate) arguments: Vec<String>,
    /// The image whose built-in program plays it; otherwise an installed one is looked for.
    pub(crate) built_in: Option<String>,
    /// The working directory.
    pub(crate) directory: PathBuf,
    /// Whether the commands in `/bin` are those of busybox.
    pub(crate) has_busybox: bool,
    /// Installed programs that must be there.
    pub(crate) needed: Vec<String>,
}

/// A program that is not installed here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoSuchProgram {
    /// The package is known.
    #[error(
        "exec: \"{program}\": executable file not found in $PATH: install the Debian package {package} on this machine"
    )]
    Package {
        /// Which program.
        program: String,
        /// Where it is found.
        package: &'static str,
    },
    /// It is not.
    #[error(
        "exec: \"{program}\": executable file not found in $PATH: install it on this machine, where containers find their programs"
    )]
    Unknown {
        /// Which program.
        program: String,
    },
}

impl NoSuchProgram {
    /// A program that was looked for in vain.
    pub(crate) fn named(program: &str) -> Self {
        let program = program.to_owned();
        match PACKAGES.iter().find(|(known, _)| *known == program) {
            Some((_, package)) => Self::Package { program, package },
            None => Self::Unknown { program },
        }
    }
}

/// What a container of `image` starts when its spec says `command` and `args`: they replace the image's own as
/// Kubernetes defines it.
pub(crate) fn launch(image: &str, command: &[String], args: &[String]) -> Launch {
    let installed = IMAGES.iter().find(|known| programs::is_named(image, known.repositories));
    let built_in = programs::image(image).filter(|_| installed.is_none());
    let arguments = match (installed, built_in) {
        (Some(known), _) => programs::command_line(known.entrypoint, known.command, command, args),
        (None, Some(played)) => played.command_line(command, args),
        (None, None) => [command, args].concat(),
    };
    let is_played = match built_in {
        Some(played) => played.execute(arguments.clone()).is_ok(),
        // An image of which nothing is known and nothing is said runs and does nothing.
        None => installed.is_none() && arguments.is_empty(),
    };
    let has_busybox = installed.is_some_and(|known| known.has_busybox);
    let mut needed: Vec<String> =
        installed.map(|known| known.programs.iter().map(ToString::to_string).collect()).unwrap_or_default();
    if let Some(first) = arguments.first()
        // Paths are those of the container, and busybox has commands that the machine may lack.
        && !is_played && !has_busybox && !first.contains('/') && !needed.contains(first)
    {
        needed.push(first.clone());
    }
    Launch {
        arguments,
        built_in: is_played.then(|| image.to_owned()),
        directory: PathBuf::from("/"),
        has_busybox,
        needed,
    }
}

impl Launch {
    /// A further command in the container of an image.
    pub(crate) fn beside(image: &str, arguments: Vec<String>) -> Self {
        let known = launch(image, &arguments, &[]);
        Self { needed: Vec::new(), ..known }
    }

    /// The first program that it needs and that is not installed.
    pub(crate) fn missing(&self, is_installed: impl Fn(&str) -> bool) -> Option<NoSuchProgram> {
        self.needed.iter().find(|program| !is_installed(program)).map(|program| NoSuchProgram::named(program))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn images_and_what_they_start() {
        let cases = [
            (
                "socat of any registry",
                "registry.example/alpine/socat:1.7.4.4",
                "",
                "TCP-LISTEN:42 PIPE",
                "[busybox] socat TCP-LISTEN:42 PIPE",
            ),
            (
                "a command in place of the entry point",
                "alpine/socat",
                "/bin/sh",
                "-c true",
                "[busybox] /bin/sh -c true",
            ),
            (
                "arguments for no entry point",
                "nicolaka/netshoot:v0.15",
                "",
                "/bin/sh -ec true",
                "/bin/sh -ec true",
            ),
            ("an image alone", "busybox", "", "", "[busybox] sh"),
            ("a command of busybox", "busybox:1.36", "httpd -f", "", "[busybox] httpd -f"),
            (
                "a built-in program",
                "jeremyot/serve:0a40de8",
                "",
                "--message=hi",
                "built-in /serve --message=hi",
            ),
            ("a shell beside a built-in program", "jeremyot/serve", "sh -c", "true", "sh -c true"),
            ("an unknown image with a command", "example/tool", "tool", "--now", "tool --now"),
            ("an unknown image", "example/tool", "", "", "built-in"),
        ];
        for (name, image, command, args, want) in cases {
            let launch = launch(image, &words(command), &words(args));
            let busybox = if launch.has_busybox { "[busybox] " } else { "" };
            let built_in = if launch.built_in.is_some() { "built-in " } else { "" };
            let got = format!("{busybox}{built_in}{}", launch.arguments.join(" "));
            assert_eq!(got.trim(), want, "{name}");
        }
    }

    #[test]
    fn what_is_not_installed_is_named_with_its_package() {
        let nothing = |_: &str| false;
        let cases = [
            ("an image of the table", "nicolaka/netshoot", "", "bash", "Debian package bash"),
            (
                "its programs even if another one runs",
                "alpine/socat",
                "/bin/sh",
                "\"socat\"",
                "Debian package socat",
            ),
            ("a command of nobody", "example/tool", "tool", "\"tool\"", "install it on this machine"),
        ];
        for (name, image, command, program, advice) in cases {
            let missing = launch(image, &words(command), &[]).missing(nothing).expect(name).to_string();
            assert!(missing.contains(program) && missing.contains(advice), "{name}: {missing}");
        }
        assert_eq!(launch("busybox", &words("httpd"), &[]).needed, ["busybox"]);
        assert_eq!(launch("serve", &[], &[]).missing(nothing), None);
    }
}
