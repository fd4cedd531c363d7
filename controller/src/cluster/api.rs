//! The clients for the API server, the requests that carry plaintext, and the errors, which carry none.
//!
//! Invariant: the API server's words never leave this file, because its validation quotes the values that it
//! refuses; only codes, the paths of fields and the names of webhooks do.

use std::time::Duration;

use http::{Method, Request};
use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use kube::core::PartialObjectMeta;
use kube::core::response::Status;
use seal_crds::{Place, Reason, Shape};
use seal_foreign::word;
use seal_kubeconfig::{Proxies, Route, RouteError};

use crate::contact::Contact;
use crate::failure::Failure;
use crate::plan::immutable;

/// The clients for the API server.
#[derive(Clone)]
pub(crate) struct Clients {
    /// The client for requests. It has short deadlines and no retries, because the reconcile has its own
    /// backoff, and a retry below it would only hide how long a request takes.
    pub(crate) requests: Client,
    /// The client for watches, which are quiet for minutes; the watcher has its own idle timeout.
    pub(crate) watches: Client,
    /// The client for the Lease. Its deadlines are shorter than a term, so that one lost request doesn't end it.
    pub(crate) lease: Client,
}

impl Clients {
    /// Makes the clients from the kubeconfig or, in a Pod, from its service account. They connect with the
    /// first request, and anew when old connections are doubtful.
    pub(crate) async fn infer(contact: &Contact) -> Result<Self, RouteError> {
        let mut route = Route::infer(&Proxies::from_env())?;
        route.renewal = contact.renewal();
        let long = Duration::from_secs(20);
        let short = Duration::from_secs(3);
        Ok(Self {
            requests: request_client(route.clone(), long).await?,
            lease: request_client(route.clone(), short).await?,
            watches: watch_client(route).await?,
        })
    }
}

/// A client whose requests take no longer than this, beside the time to connect.
async fn request_client(mut route: Route, deadline: Duration) -> Result<Client, RouteError> {
    let config = &mut route.config;
    config.connect_timeout = Some(deadline.min(Duration::from_secs(5)));
    config.read_timeout = Some(deadline);
    config.write_timeout = Some(deadline);
    config.reset_reader_on_write = true;
    config.default_retry = false;
    route.client().await
}

async fn watch_client(mut route: Route) -> Result<Client, RouteError> {
    let config = &mut route.config;
    config.connect_timeout = Some(Duration::from_secs(5));
    config.read_timeout = None;
    config.default_retry = false;
    route.client().await
}

/// Asks for an answer that has the object's metadata only.
pub(super) const METADATA: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";

/// Sends a request on a Secret. Its body may hold plaintext; its answer is metadata only.
pub(super) async fn send_secret(
    client: &Client,
    method: Method,
    place: &Place,
    query: &str,
    content_type: &str,
    body: Vec<u8>,
) -> Result<PartialObjectMeta<Secret>, kube::Error> {
    // Namespace and name are validated, so they are safe as URL segments.
    let name = if method == Method::POST { String::new() } else { format!("/{}", place.name) };
    let request = Request::builder()
        .method(method)
        .uri(format!("/api/v1/namespaces/{}/secrets{name}?{query}", place.namespace))
        .header(http::header::ACCEPT, METADATA)
        .header(http::header::CONTENT_TYPE, content_type)
        .body(body)
        .map_err(kube::Error::HttpError)?;
    client.request(request).await
}

/// The API server's status in an error, if it answered with one.
pub(super) fn status(error: &kube::Error) -> Option<&Status> {
    match error {
        kube::Error::Api(status) => Some(status),
        _ => None,
    }
}

/// Whether the API server answered with this code.
///
/// The threat: an admission webhook refuses with any code that it likes, and is taken for an object that is gone, that has
/// changed or is there already. So the code of a webhook is none of the API server's.
pub(crate) fn is_code(error: &kube::Error, code: u16) -> bool {
    status(error).is_some_and(|status| status.code == code && !is_of_a_webhook(&status.message))
}

/// The fields over which an apply conflicts with other managers; `None` for any other error, such as an
/// outdated resourceVersion.
pub(super) fn conflicting_fields(error: &kube::Error) -> Option<Vec<String>> {
    let status = status(error).filter(|_| is_code(error, 409))?;
    let causes = status.details.iter().flat_map(|details| &details.causes);
    let fields: Vec<String> = causes
        .filter(|cause| cause.reason == "FieldManagerConflict")
        .map(|cause| cause.field.clone())
        .collect();
    (!fields.is_empty()).then_some(fields)
}

/// The failure of a request that carries no part of a Secret.
pub(crate) fn failure(doing: &str, error: &kube::Error) -> Failure {
    if let Some(failure) = of_a_webhook(doing, error) {
        return failure;
    }
    match status(error).map(|status| status.code) {
        Some(401 | 403) => Failure::new(
            Reason::Forbidden,
            format!(
                "the API server forbids {doing}; check the controller's role bindings, the quota and the policies of the namespace, and whether it is being deleted"
            ),
        ),
        Some(404) => Failure::new(Reason::NotFound, format!("not found while {doing}")),
        Some(409) => {
            Failure::new(Reason::Conflict, format!("somebody else changed the object while {doing}"))
        }
        Some(429) => Failure::new(Reason::ApiBusy, format!("the API server is busy while {doing}")),
        Some(code @ 502..=504) => Failure::new(
            Reason::ApiUnavailable,
            format!("the API server can't serve requests while {doing}: it answered {code}"),
        ),
        Some(code) => Failure::new(Reason::ApiError, format!("the API server answered {code} while {doing}")),
        None => {
            let why = login(error).map_or_else(String::new, |login| format!(": {login}"));
            Failure::new(
                Reason::ApiUnavailable,
                format!("the API server can't be reached, or doesn't answer in time, while {doing}{why}"),
            )
        }
    }
}

/// The reason why there are no credentials, in our own words, if that is the error.
fn login(error: &kube::Error) -> Option<&RouteError> {
    match error {
        kube::Error::Service(error) => error.downcast_ref(),
        _ => None,
    }
}

/// The failure to write a Secret.
pub(super) fn write_failure(place: &Place, shape: &Shape, error: &kube::Error) -> Failure {
    // A webhook refuses with any code and any causes that it likes, so none of what follows is about it.
    if let Some(failure) = of_a_webhook("writing the Secret", error) {
        return failure;
    }
    // Our bound on a Secret leaves room for the fields of others (`seal_crds::secret::MAX_STORED_SIZE`). If
    // they need more room, waiting doesn't help.
    if status(error).is_some_and(is_too_large) {
        return Failure::new(Reason::SecretTooLarge, "the API server refuses the Secret as too large");
    }
    let Some(status) = status(error).filter(|status| matches!(status.code, 400 | 422)) else {
        return failure("writing the Secret", error);
    };
    let causes = || status.details.iter().flat_map(|details| &details.causes);
    // The validation of a Secret names a field in every cause. A policy names none, and may let the same Secret
    // through later, without any change that would wake the object.
    if causes().all(|cause| cause.field.is_empty()) {
        let message = "an admission policy refuses the Secret";
        return Failure::new(Reason::AdmissionRefused, message);
    }
    let fields: Vec<String> = causes().filter_map(|cause| known_field(&cause.field, shape)).collect();
    if fields.iter().any(|field| ["type", "data", "immutable"].contains(&field.as_str())) {
        return immutable(place);
    }
    let what = if fields.is_empty() { "a field it doesn't name".to_owned() } else { fields.join(", ") };
    Failure::new(Reason::SecretRefused, format!("the API server refuses the Secret because of {what}"))
}

/// The failure that an admission webhook is the cause of; `None` for any other error.
///
/// The API server begins the message with fixed words and the webhook's name, whose form it has checked; only what follows
/// is the webhook's own.
fn of_a_webhook(doing: &str, error: &kube::Error) -> Option<Failure> {
    let message = &status(error)?.message;
    let named = |words| {
        let name = message.strip_prefix(words)?.split('"').next()?;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
        Some(if name.chars().all(is_plain) { word(name) } else { "without a name".to_owned() })
    };
    if let Some(name) = named(REFUSES) {
        let message = format!("the admission webhook {name} refuses {doing}");
        return Some(Failure::new(Reason::AdmissionRefused, message));
    }
    let message =
        format!("the admission webhook {} doesn't answer the API server, while {doing}", named(UNAVAILABLE)?);
    Some(Failure::new(Reason::AdmissionUnavailable, message))
}

/// How the API server begins what it says of a webhook that refuses, and of one that it can't ask.
const REFUSES: &str = "admission webhook \"";
const UNAVAILABLE: &str = "Internal error occurred: failed calling webhook \"";

/// Whether a message of the API server is about an admission webhook, so that the code beside it may be the webhook's.
pub(super) fn is_of_a_webhook(message: &str) -> bool {
    [REFUSES, UNAVAILABLE].iter().any(|words| message.starts_with(words))
}

/// Whether the object is too large for the API server or for etcd. The API server passes etcd's error on as a
/// 500.
fn is_too_large(status: &Status) -> bool {
    let says = |words: &str| status.message.contains(words);
    status.code == 413
        || (status.code == 500
            && (says("etcdserver: request is too large") || says("trying to send message larger than max")))
}

/// A field's path, if it is one whose text we know.
fn known_field(field: &str, shape: &Shape) -> Option<String> {
    let fixed = ["type", "data", "immutable", "metadata.labels", "metadata.annotations"];
    let is_item = || shape.keys.iter().any(|key| field == format!("data[{key}]"));
    (fixed.contains(&field) || is_item()).then(|| field.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: u16, fields: &[&str]) -> kube::Error {
        let causes: Vec<_> = fields
            .iter()
            .map(|field| serde_json::json!({"field": field, "message": "Invalid value: \"hunter2\"", "reason": "FieldValueInvalid"}))
            .collect();
        let status = serde_json::json!({"code": code, "message": "hunter2", "details": {"causes": causes}});
        kube::Error::Api(Box::new(serde_json::from_value(status).unwrap()))
    }

    fn write_failed(error: &kube::Error) -> Failure {
        let place = Place { namespace: "prod".parse().unwrap(), name: "db".parse().unwrap() };
        let shape = Shape { keys: [".dockerconfigjson".parse().unwrap()].into(), ..Shape::default() };
        write_failure(&place, &shape, error)
    }

    #[test]
    fn what_the_apiserver_quotes_is_never_passed_on() {
        for error in [
            error(422, &["data[.dockerconfigjson]", "data[hunter2]"]),
            error(422, &["hunter2"]),
            error(422, &["type"]),
            error(400, &[]),
            error(403, &[]),
            error(500, &[]),
        ] {
            let failure = write_failed(&error);
            assert!(!failure.message.contains("hunter2"), "{failure:?}");
        }
    }

    #[test]
    fn a_login_that_fails_is_told_from_a_server_that_is_gone() {
        let said = |error: Box<dyn std::error::Error + Send + Sync>| {
            failure("listing Secrets", &kube::Error::Service(error)).message
        };
        let gone = "the API server can't be reached, or doesn't answer in time, while listing Secrets";
        assert_eq!(said(Box::new(std::io::Error::other("hunter2"))), gone);
        assert_eq!(said(Box::new(RouteError::SystemRoots)), format!("{gone}: {}", RouteError::SystemRoots));
    }

    #[test]
    fn refusals_wait_and_outages_pass() {
        let reason = |code, fields: &[&str]| write_failed(&error(code, fields)).reason;
        assert_eq!(reason(422, &["data[.dockerconfigjson]"]), Reason::SecretRefused);
        assert_eq!(reason(422, &["data"]), Reason::ImmutableSecret);
        assert_eq!(reason(422, &["type"]), Reason::ImmutableSecret);
        assert!(write_failed(&error(422, &["metadata.ownerReferences"])).is_permanent());
        for of_a_policy in [error(422, &[]), error(400, &[]), error(422, &[""])] {
            let failure = write_failed(&of_a_policy);
            assert!(!failure.is_permanent() && failure.reason == Reason::AdmissionRefused, "{failure:?}");
        }
        for (code, message) in [(413, "hunter2"), (500, "etcdserver: request is too large")] {
            let kube::Error::Api(mut status) = error(code, &[]) else { unreachable!() };
            status.message = message.to_owned();
            let failure = write_failed(&kube::Error::Api(status));
            assert!(failure.is_permanent() && failure.reason == Reason::SecretTooLarge, "{failure:?}");
        }
        for code in [401, 403, 404, 409, 429, 500, 503] {
            assert!(!write_failed(&error(code, &[])).is_permanent(), "{code}");
        }
    }

    /// The messages are kube-apiserver's, but for the canary.
    #[test]
    fn a_webhook_is_told_by_its_name_whatever_it_answers_and_its_words_are_not_passed_on() {
        let of = |code, fields: &[&str], message: &str| {
            let kube::Error::Api(mut status) = error(code, fields) else { unreachable!() };
            status.message = message.to_owned();
            write_failed(&kube::Error::Api(status))
        };
        let refused = "admission webhook \"team.example.com\" denied the request: hunter2";
        for code in [400, 403, 404, 409, 410, 413, 422, 429, 500, 504] {
            let failure = of(code, &["data", "type"], refused);
            assert_eq!(failure.reason, Reason::AdmissionRefused, "{code}");
            assert_eq!(failure.message, "the admission webhook team.example.com refuses writing the Secret");
        }
        // Nor is its code taken for the API server's, or its causes.
        let kube::Error::Api(mut status) = error(409, &["f:data"]) else { unreachable!() };
        status.details.iter_mut().flat_map(|details| &mut details.causes).for_each(|cause| {
            cause.reason = "FieldManagerConflict".to_owned();
        });
        let of_the_server = kube::Error::Api(status.clone());
        assert!(is_code(&of_the_server, 409));
        assert_eq!(conflicting_fields(&of_the_server), Some(vec!["f:data".to_owned()]));
        status.message = refused.to_owned();
        let of_a_webhook = kube::Error::Api(status);
        assert!(!is_code(&of_a_webhook, 409));
        assert_eq!(conflicting_fields(&of_a_webhook), None);
        let message = "Internal error occurred: failed calling webhook \"team.example.com\": failed to call webhook: hunter2";
        let failure = of(500, &[], message);
        assert_eq!(failure.reason, Reason::AdmissionUnavailable);
        assert!(
            failure.message.contains("team.example.com") && !failure.message.contains("hunter2"),
            "{failure}"
        );
        // No name that a cluster takes, and no end of one.
        for message in ["admission webhook \"hunter2 \\\" denied", "admission webhook \"hunter2\n"] {
            assert!(!of(400, &[], message).message.contains("hunter2"), "{message}");
        }
    }
}
