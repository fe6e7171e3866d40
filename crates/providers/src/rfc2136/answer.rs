//! What a server's answer means.

use dnswire::base::Message;
use dnswire::base::iana::{Rcode, TsigRcode};
use dnswire::base::name::ParsedName;
use dnswire::rdata::Tsig;
use dnswire::tsig::ValidationError;
use portolan_plan::federation::dns::record::DomainName;

use super::Settings;
use crate::error::ProviderError;

/// Meaning of the answer to an UPDATE (RFC 2136, section 2.2).
pub(super) fn of_update(
    settings: &Settings,
    zone: &DomainName,
    name: &DomainName,
    message: &Message<Vec<u8>>,
) -> Result<(), ProviderError> {
    match message.header().rcode() {
        Rcode::NOERROR => Ok(()),
        Rcode::YXDOMAIN | Rcode::YXRRSET | Rcode::NXRRSET | Rcode::NXDOMAIN => {
            Err(ProviderError::Changed { name: name.clone() })
        }
        Rcode::NOTZONE => Err(ProviderError::Rejected {
            server: settings.server.clone(),
            name: name.clone(),
            reason: format!("NOTZONE: the name is not within {zone}"),
        }),
        Rcode::REFUSED => Err(ProviderError::Refused {
            server: settings.server.clone(),
            what: "the dynamic update (allow-update or update-policy of BIND, acl of Knot)",
            zone: zone.clone(),
        }),
        other => Err(of_code(settings, zone, other)),
    }
}

/// Meaning of an error that an UPDATE and a transfer have in common.
pub(super) fn of_code(settings: &Settings, zone: &DomainName, code: Rcode) -> ProviderError {
    let server = settings.server.clone();
    match code {
        Rcode::NOTAUTH | Rcode::NXDOMAIN => ProviderError::NoZone { server, zone: zone.clone() },
        Rcode::SERVFAIL => {
            ProviderError::ServerFailure { server, reason: "SERVFAIL, see its log".to_owned() }
        }
        Rcode::NOTIMP => settings.bad_answer("NOTIMP: it takes no dynamic updates or transfers"),
        other => settings.bad_answer(format!("response code {other}")),
    }
}

/// Meaning of an answer without a valid signature. `Ok` for unsigned errors, which servers send when they refuse a
/// request before they look at its signature; nothing is believed of them but the refusal.
pub(super) fn of_signature(
    settings: &Settings,
    error: ValidationError,
    message: &Message<Vec<u8>>,
) -> Result<(), ProviderError> {
    let key = |reason: &str| ProviderError::Key {
        server: settings.server.clone(),
        key: settings.key.as_ref().map(|key| key.name()).unwrap_or_default(),
        reason: reason.to_owned(),
    };
    // Servers sign this error differently. It is believed unsigned: it only says why nothing was done.
    if let Some(server_time) = bad_time(message) {
        let seconds = u64::from(settings.now()).abs_diff(server_time);
        return Err(ProviderError::ClockSkew { server: settings.server.clone(), seconds });
    }
    Err(match error {
        ValidationError::ServerBadKey => {
            key("it has no key of this name and algorithm, or does not allow it this request (BADKEY)")
        }
        ValidationError::ServerBadSig => key("it has another secret (BADSIG)"),
        ValidationError::ServerUnsigned if message.header().rcode() != Rcode::NOERROR => return Ok(()),
        ValidationError::ServerUnsigned => key("its answer is not signed"),
        ValidationError::BadSig | ValidationError::BadKey | ValidationError::BadAlg => {
            key("its answer is signed with another secret")
        }
        other => settings.bad_answer(format!("a signature that is not valid: {other}")),
    })
}

/// The server's clock in seconds since 1970, when the answer is the error BADTIME (RFC 8945, section 5.2.3).
fn bad_time(message: &Message<Vec<u8>>) -> Option<u64> {
    let records = message.additional().ok()?.limit_to::<Tsig<_, ParsedName<_>>>();
    let signature = records.flatten().find(|record| record.data().error() == TsigRcode::BADTIME)?;
    signature.data().other_time().map(u64::from)
}
