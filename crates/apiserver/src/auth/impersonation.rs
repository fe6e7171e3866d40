//! `Impersonate-*` headers: acting as another user.
//!
//! Each impersonated name, group, uid and extra value requires the verb `impersonate` on it. The verbs of constrained
//! impersonation (KEP-5284) are not supported and count as not granted.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use http::HeaderMap;
use percent_encoding::percent_decode_str;
use portolan_object::Status;

use super::user::{ANONYMOUS, User, parse_service_account, service_account_groups};
use super::user::{AUTHENTICATED, UNAUTHENTICATED};
use super::{AccessTarget, Attributes, Decision, ResourceTarget, Rules};

const USER: &str = "impersonate-user";
const GROUP: &str = "impersonate-group";
const UID: &str = "impersonate-uid";
const EXTRA: &str = "impersonate-extra-";
const AUTHENTICATION: &str = "authentication.k8s.io";

/// The user of a request: `asking`, or the one that the headers name.
///
/// # Errors
/// 400 for groups, a uid or extras without a name; 403 when `asking` may not impersonate one of them.
pub fn impersonate(asking: User, headers: &HeaderMap, rules: &Rules) -> Result<User, Status> {
    let wanted = Wanted::read(headers);
    if wanted.name.is_empty() {
        return if wanted.is_empty() { Ok(asking) } else { Err(wanted.nameless()) };
    }
    for target in wanted.targets() {
        let attributes =
            Attributes { user: &asking, verb: "impersonate", target: AccessTarget::Resource(target) };
        if let Decision::Denied(reason) = rules.authorize(&attributes) {
            return Err(attributes.forbidden(&reason));
        }
    }
    Ok(wanted.user())
}

/// The user in the headers.
#[derive(Debug, Default)]
struct Wanted {
    name: String,
    uid: String,
    groups: Vec<String>,
    extra: BTreeMap<String, Vec<String>>,
}

impl Wanted {
    fn read(headers: &HeaderMap) -> Self {
        let texts = |name: &str| {
            let values = headers.get_all(name).iter();
            values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect::<Vec<_>>()
        };
        let first = |name: &str| texts(name).into_iter().next().unwrap_or_default();
        let extras = headers.keys().filter_map(|name| {
            let key = name.as_str().strip_prefix(EXTRA)?;
            Some((percent_decode_str(key).decode_utf8_lossy().into_owned(), texts(name.as_str())))
        });
        Self { name: first(USER), uid: first(UID), groups: texts(GROUP), extra: extras.collect() }
    }

    fn is_empty(&self) -> bool {
        self.uid.is_empty() && self.groups.is_empty() && self.extra.is_empty()
    }

    /// Targets on which `impersonate` must be allowed.
    fn targets(&self) -> Vec<ResourceTarget<'_>> {
        let core = |resource, name| ResourceTarget { resource, name, ..ResourceTarget::default() };
        let mut targets = vec![match parse_service_account(&self.name) {
            Some((namespace, name)) => ResourceTarget { namespace, ..core("serviceaccounts", name) },
            None => core("users", self.name.as_str()),
        }];
        targets.extend(self.groups.iter().map(|group| core("groups", group)));
        for (key, values) in &self.extra {
            let of_key = |value| ResourceTarget {
                group: AUTHENTICATION,
                subresource: key,
                ..core("userextras", value)
            };
            targets.extend(values.iter().map(|value| of_key(value.as_str())));
        }
        if !self.uid.is_empty() {
            targets.push(ResourceTarget { group: AUTHENTICATION, ..core("uids", &self.uid) });
        }
        targets
    }

    fn user(self) -> User {
        let mut groups = self.groups;
        if let (true, Some((namespace, _))) = (groups.is_empty(), parse_service_account(&self.name)) {
            groups.extend(service_account_groups(namespace));
        }
        let has = |groups: &[String], wanted: &str| groups.iter().any(|group| group == wanted);
        if self.name == ANONYMOUS {
            if !has(&groups, UNAUTHENTICATED) {
                groups.push(UNAUTHENTICATED.to_owned());
            }
        } else if !has(&groups, AUTHENTICATED) && !has(&groups, UNAUTHENTICATED) {
            groups.push(AUTHENTICATED.to_owned());
        }
        User { name: self.name, uid: self.uid, groups, extra: self.extra }
    }

    /// 400 for headers without a name. The text shows the user as kube-apiserver prints it.
    fn nameless(&self) -> Status {
        let list = |words: &[String]| {
            let words: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
            format!("[]string{{{}}}", words.join(", "))
        };
        let groups = if self.groups.is_empty() { "[]string(nil)".to_owned() } else { list(&self.groups) };
        let extra = if self.extra.is_empty() {
            "map[string][]string(nil)".to_owned()
        } else {
            let entries: Vec<String> =
                self.extra.iter().map(|(key, values)| format!("{key:?}:{}", list(values))).collect();
            format!("map[string][]string{{{}}}", entries.join(", "))
        };
        Status::bad_request(format!(
            "requested &user.DefaultInfo{{Name:\"\", UID:{:?}, Groups:{groups}, Extra:{extra}}} without impersonating \
             a user name",
            self.uid
        ))
    }
}
