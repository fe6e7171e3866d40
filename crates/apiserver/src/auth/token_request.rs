//! Issuing a token for a service account: `POST serviceaccounts/{name}/token`.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use portolan_object::time::format_time;
use portolan_object::{FieldError, Object, Status};
use ring::rand::SecureRandom;
use serde_json::{Value, json};

use super::directory::Directory;
use super::token::{Bound, Claims, Issuer, Reference};
use super::user::service_account_name;
use crate::tree;

const GROUP: &str = "authentication.k8s.io";
const KIND: &str = "TokenRequest";
const SHORTEST: i64 = 600;
const DEFAULT: i64 = 3600;

/// Dependencies and inputs of issuing a token.
pub struct Issuance<'a> {
    /// Signs the token.
    pub issuer: &'a Issuer,
    /// Finds the object that the token is to be bound to.
    pub directory: &'a dyn Directory,
    /// The time of the request.
    pub now: Timestamp,
    /// Randomness for the signature.
    pub random: &'a dyn SecureRandom,
    /// Id of the token, a random UUID.
    pub token_id: String,
}

impl Issuance<'_> {
    /// Issues the token for `request`, a `TokenRequest`. Returns the completed request, and warnings.
    ///
    /// # Errors
    /// 422 for an invalid duration or a name that differs from the URL, 404 and 409 for a bound object that does not exist
    /// or has another uid, 400 for another namespace or a kind that tokens cannot be bound to.
    pub fn issue(&self, account: &Object, mut request: Value) -> Result<(Value, Vec<String>), Status> {
        check_identity(account, &request)?;
        let mut warnings = Vec::new();
        let seconds = self.duration(&request, &mut warnings)?;
        let mut audiences: Vec<String> =
            tree::strings_at(&request, "/spec/audiences").map(str::to_owned).collect();
        if audiences.is_empty() {
            audiences.clone_from(&self.issuer.audiences);
        }
        let now = self.now.as_second();
        let claims = Claims {
            iss: self.issuer.url.clone(),
            sub: service_account_name(account.namespace(), account.name()),
            aud: audiences.clone(),
            exp: now.saturating_add(seconds),
            iat: now,
            nbf: now,
            jti: self.token_id.clone(),
            bound: self.bind(account, &request)?,
        };
        let token = self.issuer.issue(&claims, self.random).map_err(Status::internal)?;
        let expires = self.now + SignedDuration::from_secs(seconds);
        request["apiVersion"] = json!(format!("{GROUP}/v1"));
        request["kind"] = json!(KIND);
        request["metadata"] = json!({
            "name": account.name(),
            "namespace": account.namespace(),
            "uid": account.uid(),
            "creationTimestamp": format_time(self.now),
        });
        if !request["spec"].is_object() {
            request["spec"] = json!({});
        }
        request["spec"]["audiences"] = json!(audiences);
        request["spec"]["expirationSeconds"] = json!(seconds);
        request["status"] = json!({ "token": token, "expirationTimestamp": format_time(expires) });
        Ok((request, warnings))
    }

    fn duration(&self, request: &Value, warnings: &mut Vec<String>) -> Result<i64, Status> {
        let seconds = tree::integer(request, "/spec/expirationSeconds").unwrap_or(DEFAULT);
        let fault = match seconds {
            ..SHORTEST => "may not specify a duration less than 10 minutes",
            4_294_967_297.. => "may not specify a duration larger than 2^32 seconds",
            _ => "",
        };
        if !fault.is_empty() {
            let error = FieldError::invalid("spec.expirationSeconds", &json!(seconds), fault);
            return Err(Status::invalid(GROUP, KIND, "", &[error]));
        }
        let asked = Duration::from_secs(seconds.unsigned_abs());
        if asked <= self.issuer.max_lifetime {
            return Ok(seconds);
        }
        let longest = self.issuer.max_lifetime.as_secs();
        warnings.push(format!("requested expiration of {seconds} seconds shortened to {longest} seconds"));
        Ok(i64::try_from(longest).unwrap_or(seconds))
    }

    fn bind(&self, account: &Object, request: &Value) -> Result<Bound, Status> {
        let reference =
            |object: &Object| Reference { name: object.name().to_owned(), uid: object.uid().to_owned() };
        let mut bound = Bound {
            namespace: account.namespace().to_owned(),
            service_account: reference(account),
            ..Bound::default()
        };
        let Some(wanted) = tree::present(request, "/spec/boundObjectRef") else {
            return Ok(bound);
        };
        let (kind, name) = (tree::str_at(wanted, "/kind"), tree::str_at(wanted, "/name"));
        let find = |resource: &str, namespace: &str| {
            if name.is_empty() {
                return Err(Status::bad_request("Name parameter required."));
            }
            let found = self.directory.find(resource, namespace, name);
            let found = found.ok_or_else(|| Status::not_found("", resource, name))?;
            check_bound(wanted, &found).map(|()| found)
        };
        let api_version = tree::str_at(wanted, "/apiVersion");
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        match (group, kind) {
            ("", "Pod") => {
                let pod = find("pods", account.namespace())?;
                if pod.str_at(&["spec", "serviceAccountName"]) != account.name() {
                    return Err(Status::bad_request(format!(
                        "cannot bind token for serviceaccount {:?} to pod running with different serviceaccount name.",
                        account.name()
                    )));
                }
                bound.pod = Some(reference(&pod));
                let node = pod.str_at(&["spec", "nodeName"]);
                if !node.is_empty() {
                    let uid = self.directory.uid("nodes", "", node).unwrap_or_default();
                    bound.node = Some(Reference { name: node.to_owned(), uid });
                }
            }
            ("", "Secret") => bound.secret = Some(reference(&find("secrets", account.namespace())?)),
            ("", "Node") => bound.node = Some(reference(&find("nodes", "")?)),
            (group, kind) => {
                let text = format!("cannot bind token to object of type {group}/{version}, Kind={kind}");
                return Err(Status::bad_request(text));
            }
        }
        Ok(bound)
    }
}

/// Checks that metadata in the body is that of the account in the URL.
fn check_identity(account: &Object, request: &Value) -> Result<(), Status> {
    let said = tree::str_at(request, "/metadata/namespace");
    if !said.is_empty() && said != account.namespace() {
        let text = "the namespace of the provided object does not match the namespace sent on the request";
        return Err(Status::bad_request(text));
    }
    let said = tree::str_at(request, "/metadata/name");
    if !said.is_empty() && said != account.name() {
        let detail = "must match the service account name if specified";
        let error = FieldError::invalid("metadata.name", &json!(said), detail);
        return Err(Status::invalid(GROUP, KIND, account.name(), &[error]));
    }
    let (said, own) = (tree::str_at(request, "/metadata/uid"), account.uid());
    if !said.is_empty() && said != own {
        let cause = format!(
            "the UID in the token request ({said}) does not match the UID of the service account ({own})"
        );
        return Err(Status::conflict(GROUP, KIND, account.name(), &cause));
    }
    Ok(())
}

fn check_bound(wanted: &Value, found: &Object) -> Result<(), Status> {
    let uid = tree::str_at(wanted, "/uid");
    if uid.is_empty() || uid == found.uid() {
        return Ok(());
    }
    let cause = format!(
        "the UID in the bound object reference ({uid}) does not match the UID in record. The object might have been \
         deleted and then recreated"
    );
    Err(Status::conflict("", tree::str_at(wanted, "/kind"), found.name(), &cause))
}
