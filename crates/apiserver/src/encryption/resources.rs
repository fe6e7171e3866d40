//! Names of resources in an encryption configuration: `secrets`, `widgets.example.org`, `*.apps`, `*.`, `*.*`.

/// The group of the core resources in keys of the store.
const CORE: &str = "core";

/// Resources that a configuration names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ResourcePattern {
    /// `*.*`
    All,
    /// `*.GROUP`; the core group is `*.`.
    Group(String),
    /// `RESOURCE.GROUP`; without a group, of the core group.
    One { group: String, plural: String },
}

impl ResourcePattern {
    /// Reads a name.
    ///
    /// # Errors
    /// Why no resource has it.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        if text.is_empty() {
            return Err("a resource has a name");
        }
        if text == "*" {
            return Err(
                "use '*.' to encrypt all the resources from core API group or *.* to encrypt all resources",
            );
        }
        if text == "*.*" {
            return Ok(Self::All);
        }
        if text.chars().any(char::is_uppercase) {
            return Err("resource name should not contain capital letters");
        }
        if text.contains('/') {
            return Err("encryption of subresources is not supported: name the resource");
        }
        let (plural, group) = text.split_once('.').unwrap_or((text, ""));
        if group.contains('*') || (plural.contains('*') && plural != "*") {
            return Err("* stands for a whole name only: '*.GROUP', '*.' or '*.*'");
        }
        match (plural, group) {
            (_, "events.k8s.io") => {
                Err("objects of events.k8s.io are stored as those of the core group. Use 'events' instead")
            }
            (_, "extensions") => Err("'extensions' group has been removed and cannot be used for encryption"),
            ("*", "") => Ok(Self::Group(CORE.to_owned())),
            ("*", group) => Ok(Self::Group(group.to_owned())),
            (plural, "") => Ok(Self::One { group: CORE.to_owned(), plural: plural.to_owned() }),
            (plural, group) => Ok(Self::One { group: group.to_owned(), plural: plural.to_owned() }),
        }
    }

    /// Whether the objects with the first two parts of their key are meant.
    pub(super) fn matches(&self, group: &str, plural: &str) -> bool {
        match self {
            Self::All => true,
            Self::Group(named) => named == group,
            Self::One { group: named, plural: resource } => named == group && resource == plural,
        }
    }

    /// Whether some resource is named by both.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::All, _) | (_, Self::All) => true,
            (Self::Group(one), Self::Group(other)) => one == other,
            (Self::Group(one), Self::One { group, .. }) | (Self::One { group, .. }, Self::Group(one)) => {
                one == group
            }
            (one, other) => one == other,
        }
    }

    /// Whether every resource that `other` names is named by this.
    pub(super) fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::All, _) => true,
            (Self::Group(one), Self::Group(other) | Self::One { group: other, .. }) => one == other,
            (one, other) => one == other,
        }
    }
}
