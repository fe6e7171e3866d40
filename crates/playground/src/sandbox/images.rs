//! The program of an image in namespaces mode: an installed program, or a built-in one.
//!
//! Pure. A table maps image names, from any registry and with any tag, to programs of this machine. An image outside the
//! table runs if its command is installed on this machine.

use std::path::PathBuf;

use crate::programs;

/// An image that is replaced by installed programs.
struct Installed {
    /// Last path segments of the repository names.
    repositories: &'static [&'static str],
    entrypoint: &'static [&'static str],
    command: &'static [&'static str],
    /// Programs that must be installed.
    programs: &'static [&'static str],
    has_busybox: bool,
}

const IMAGES: &[Installed] = &[
    Installed {
        repositories: &["socat"],
        entrypoint: &["socat"],
        command: &[],
        // The real image is based on Alpine, which has the shell of busybox.
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

/// Debian packages of programs, for error messages.
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

/// Program of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Launch {
    /// The command line.
    pub(crate) arguments: Vec<String>,
    /// Image with the built-in program; `None` for an installed program.
    pub(crate) built_in: Option<String>,
    /// The working directory.
    pub(crate) directory: PathBuf,
    /// Whether `/bin` has the commands of busybox.
    pub(crate) has_busybox: bool,
    /// Programs that must be installed.
    pub(crate) needed: Vec<String>,
}

/// A program is not installed on this machine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ProgramNotInstalled {
    /// Its Debian package is known.
    #[error(
        "exec: \"{program}\": executable file not found in $PATH: install the Debian package {package} on this machine"
    )]
    Package {
        /// Name of the program.
        program: String,
        /// Debian package.
        package: &'static str,
    },
    /// Its Debian package is not known.
    #[error(
        "exec: \"{program}\": executable file not found in $PATH: install it on this machine: containers use its programs"
    )]
    Unknown {
        /// Name of the program.
        program: String,
    },
}

impl ProgramNotInstalled {
    /// The error for a missing program.
    pub(crate) fn for_program(program: &str) -> Self {
        let program = program.to_owned();
        match PACKAGES.iter().find(|(known, _)| *known == program) {
            Some((_, package)) => Self::Package { program, package },
            None => Self::Unknown { program },
        }
    }
}

/// The program of a container. `command` and `args` of its spec replace those of the image, as in Kubernetes.
pub(crate) fn launch(image: &str, command: &[String], args: &[String]) -> Launch {
    let installed = IMAGES.iter().find(|known| programs::is_named(image, known.repositories));
    let built_in = programs::image(image).filter(|_| installed.is_none());
    let arguments = match (installed, built_in) {
        (Some(known), _) => programs::command_line(known.entrypoint, known.command, command, args),
        (None, Some(image)) => image.command_line(command, args),
        (None, None) => [command, args].concat(),
    };
    let is_built_in = match built_in {
        Some(image) => image.execute(arguments.clone()).is_ok(),
        // An unknown image without a command runs and does nothing.
        None => installed.is_none() && arguments.is_empty(),
    };
    let has_busybox = installed.is_some_and(|known| known.has_busybox);
    let mut needed: Vec<String> =
        installed.map(|known| known.programs.iter().map(ToString::to_string).collect()).unwrap_or_default();
    if let Some(first) = arguments.first()
        // Absolute paths are inside the container, and busybox has commands that the machine may not have.
        && !is_built_in && !has_busybox && !first.contains('/') && !needed.contains(first)
    {
        needed.push(first.clone());
    }
    Launch {
        arguments,
        built_in: is_built_in.then(|| image.to_owned()),
        directory: PathBuf::from("/"),
        has_busybox,
        needed,
    }
}

impl Launch {
    /// A command for `exec` in a container of the image.
    pub(crate) fn beside(image: &str, arguments: Vec<String>) -> Self {
        let known = launch(image, &arguments, &[]);
        Self { needed: Vec::new(), ..known }
    }

    /// The first needed program that is not installed.
    pub(crate) fn missing(&self, is_installed: impl Fn(&str) -> bool) -> Option<ProgramNotInstalled> {
        self.needed
            .iter()
            .find(|program| !is_installed(program))
            .map(|program| ProgramNotInstalled::for_program(program))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn programs_of_images() {
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
    fn missing_programs_are_named_with_their_package() {
        let nothing = |_: &str| false;
        let cases = [
            ("an image of the table", "nicolaka/netshoot", "", "bash", "Debian package bash"),
            (
                "a program of the image, even if the command is another one",
                "alpine/socat",
                "/bin/sh",
                "\"socat\"",
                "Debian package socat",
            ),
            ("an unknown command", "example/tool", "tool", "\"tool\"", "install it on this machine"),
        ];
        for (name, image, command, program, advice) in cases {
            let missing = launch(image, &words(command), &[]).missing(nothing).expect(name).to_string();
            assert!(missing.contains(program) && missing.contains(advice), "{name}: {missing}");
        }
        assert_eq!(launch("busybox", &words("httpd"), &[]).needed, ["busybox"]);
        assert_eq!(launch("serve", &[], &[]).missing(nothing), None);
    }
}
