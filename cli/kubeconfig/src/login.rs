//! The login: the credentials of a user, obtained once, and again when they are no longer good.
//!
//! Not the client that sends them ([`crate::route`]). The order is client-go's: a token file goes before a token,
//! and both go before a login program, which isn't run for a user who has a certificate. Invariant: all clients
//! of a [`Login`] share its credentials, so a login program runs once however many clients there are. Credentials
//! leave this machine only over TLS.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::HeaderValue;
use jiff::{SignedDuration, Timestamp};
use kube::config::{AuthInfo, Cluster};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use crate::error::{Field, Owner, PluginError, RouteError, ValueError};
use crate::identity::Identity;
use crate::plugin::Plugin;

/// How long a token from a file is good: 50 seconds, which is a minute less the ten seconds that client-go leaves
/// too. It is half of the time between the kubelet's renewal of a service account's token and the end of the old
/// one.
const FILE_GOOD_FOR: SignedDuration = SignedDuration::from_secs(50);

/// A user's credentials; clones share them.
#[derive(Clone)]
pub(crate) struct Login(Arc<Shared>);

struct Shared {
    source: Source,
    held: Mutex<Option<Arc<Credentials>>>,
}

/// The source of credentials.
enum Source {
    /// No header is sent: the credentials are of TLS alone, or there are none.
    Nowhere,
    Fixed(HeaderValue),
    File {
        path: PathBuf,
        field: Field,
        inline: Option<HeaderValue>,
    },
    Plugin(Box<Plugin>),
}

/// The credentials that go along with a request. No `Debug`: it holds a token and a private key.
pub(crate) struct Credentials {
    pub(crate) authorization: Option<HeaderValue>,
    pub(crate) identity: Option<Arc<Identity>>,
    /// When the credentials end; without a time they are good as long as the process lives.
    until: Option<Timestamp>,
    was_refused: AtomicBool,
}

impl Login {
    /// The login of a user of a kubeconfig.
    ///
    /// # Errors
    ///
    /// A value that can't be sent, or two ways to log in.
    pub(crate) fn of_user(
        name: &str,
        user: &AuthInfo,
        cluster: &Cluster,
        authorities: Option<&[u8]>,
    ) -> Result<Self, RouteError> {
        let text = |value: &Option<String>| value.clone().filter(|value| !value.is_empty());
        let field = |field| Field { name: field, owner: Owner::User(name.to_owned()) };
        let token = exposed(user.token.as_ref());
        let token =
            token.map(|token| bearer(token).map_err(|error| field("token").error(error))).transpose()?;
        let token_file = text(&user.token_file);
        let (username, password) = (text(&user.username), exposed(user.password.as_ref()));
        let has_basic = username.is_some() || password.is_some();
        if has_basic && (token.is_some() || token_file.is_some()) {
            return Err(RouteError::TwoLogins(name.to_owned()));
        }
        let has_certificate =
            [&user.client_certificate, &user.client_certificate_data].map(text) != [None, None];
        let source = if let Some(path) = token_file {
            Source::File { path: path.into(), field: field("tokenFile"), inline: token }
        } else if let Some(token) = token {
            Source::Fixed(token)
        } else if has_basic {
            Source::Fixed(basic(&username.unwrap_or_default(), password.unwrap_or_default()))
        } else if let Some(provider) = &user.auth_provider {
            let token = provider.config.get("id-token").filter(|_| provider.name == "oidc");
            let token = token.ok_or_else(|| RouteError::AuthProvider {
                user: name.to_owned(),
                name: provider.name.clone(),
            })?;
            Source::Fixed(bearer(token).map_err(|error| field("id-token").error(error))?)
        } else if let Some(exec) = user.exec.as_ref().filter(|_| !has_certificate) {
            Source::Plugin(Box::new(Plugin::new(name, exec, cluster, authorities)))
        } else {
            Source::Nowhere
        };
        Ok(Self::from(source))
    }

    /// A login with the token in a file, which is read again when the token is no longer good.
    pub(crate) fn of_file(path: &Path, field: Field) -> Self {
        Source::File { path: path.to_owned(), field, inline: None }.into()
    }

    /// A login without credentials.
    pub(crate) fn of_nobody() -> Self {
        Source::Nowhere.into()
    }

    /// The credentials to send now. Callers that come meanwhile wait for the same ones.
    ///
    /// # Errors
    ///
    /// The credentials can't be obtained.
    pub(crate) async fn credentials(&self) -> Result<Arc<Credentials>, RouteError> {
        let mut held = self.0.held.lock().await;
        if let Some(credentials) = held.as_ref().filter(|held| held.are_good(Timestamp::now())) {
            return Ok(credentials.clone());
        }
        let (shared, last) = (self.0.clone(), held.clone());
        // A file may be on a slow disk, and a login program waits for a person.
        let obtained =
            tokio::task::spawn_blocking(move || shared.source.obtain(last.as_deref(), Timestamp::now()));
        let obtained = Arc::new(obtained.await.map_err(|_| RouteError::Interrupted)??);
        *held = Some(obtained.clone());
        Ok(obtained)
    }
}

impl From<Source> for Login {
    fn from(source: Source) -> Self {
        Self(Arc::new(Shared { source, held: Mutex::default() }))
    }
}

impl Source {
    fn obtain(&self, last: Option<&Credentials>, now: Timestamp) -> Result<Credentials, RouteError> {
        let good = |authorization| Credentials {
            authorization,
            identity: None,
            until: None,
            was_refused: AtomicBool::new(false),
        };
        match self {
            Self::Nowhere => Ok(good(None)),
            Self::Fixed(header) => Ok(good(Some(header.clone()))),
            Self::File { path, field, inline } => {
                // A missing file doesn't end a login that worked: some tools hand a token over and then remove
                // the file.
                let last = last.and_then(|last| last.authorization.as_ref()).or(inline.as_ref());
                let header = match (read_token(path), last) {
                    (Err(_), Some(last)) => last.clone(),
                    (read, _) => read.map_err(|error| field.clone().error(error))?,
                };
                let until = now.checked_add(FILE_GOOD_FOR).ok();
                Ok(Credentials { until, ..good(Some(header)) })
            }
            Self::Plugin(plugin) => {
                let credential = plugin.run()?;
                let header = credential.token.as_deref().map(|token| bearer(token)).transpose();
                let header = header.map_err(|error| RouteError::Plugin {
                    user: plugin.user.clone(),
                    command: plugin.command().to_owned(),
                    source: PluginError::Token(error),
                })?;
                Ok(Credentials {
                    identity: credential.identity.map(Arc::new),
                    until: credential.expires,
                    ..good(header)
                })
            }
        }
    }
}

impl Credentials {
    fn are_good(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now <= until) && !self.was_refused.load(Ordering::Relaxed)
    }

    /// Marks the credentials as refused by the server: the next request obtains new ones.
    pub(crate) fn refuse(&self) {
        self.was_refused.store(true, Ordering::Relaxed);
    }
}

fn exposed(secret: Option<&SecretString>) -> Option<&str> {
    secret.map(|secret| secret.expose_secret()).filter(|text| !text.is_empty())
}

fn read_token(path: &Path) -> Result<HeaderValue, ValueError> {
    let text = fs::read_to_string(path).map_err(|error| ValueError::Unreadable(path.to_owned(), error))?;
    let text = Zeroizing::new(text);
    match text.trim() {
        "" => Err(ValueError::Empty),
        token => bearer(token),
    }
}

fn bearer(token: &str) -> Result<HeaderValue, ValueError> {
    header(&Zeroizing::new(format!("Bearer {token}")))
}

fn basic(username: &str, password: &str) -> HeaderValue {
    let login = Zeroizing::new(format!("{username}:{password}"));
    let encoded = Zeroizing::new(BASE64.encode(login.as_bytes()));
    header(&Zeroizing::new(format!("Basic {}", *encoded))).expect("base64 may stand in a header")
}

/// A header value. This copy of a token isn't wiped: it goes along with requests, through buffers that aren't
/// wiped either.
fn header(value: &str) -> Result<HeaderValue, ValueError> {
    let mut header = HeaderValue::from_str(value).map_err(|_| ValueError::NotHeader)?;
    header.set_sensitive(true);
    Ok(header)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(user: &str) -> Result<Login, RouteError> {
        let user: AuthInfo = serde_yaml::from_str(user).unwrap();
        Login::of_user("me", &user, &Cluster::default(), None)
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    fn sent(login: &Login) -> Option<String> {
        let credentials = block_on(login.credentials()).unwrap();
        credentials.authorization.as_ref().map(|header| header.to_str().unwrap().to_owned())
    }

    fn said<T>(result: Result<T, RouteError>) -> String {
        match result.err().unwrap() {
            RouteError::Value { field, source } => format!("{field}: {source}"),
            error => error.to_string(),
        }
    }

    #[test]
    fn a_token_file_is_read_without_its_newline_and_goes_before_a_token() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), " fresh\r\n\n").unwrap();
        let path = file.path().display();
        assert_eq!(sent(&login(&format!("tokenFile: {path}")).unwrap()).unwrap(), "Bearer fresh");
        assert_eq!(
            sent(&login(&format!("{{tokenFile: {path}, token: stale}}")).unwrap()).unwrap(),
            "Bearer fresh"
        );
        let missing = login("{tokenFile: /no/such, token: stale}").unwrap();
        assert_eq!(sent(&missing).unwrap(), "Bearer stale");
    }

    #[test]
    fn a_token_file_is_read_again_after_a_minute_or_a_refusal_and_not_before() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let write = |token: &str| fs::write(file.path(), token).unwrap();
        write("one");
        let login = Login::of_file(file.path(), Field { name: "token", owner: Owner::ServiceAccount });
        let credentials = || block_on(login.credentials()).unwrap();
        let now = Timestamp::now();
        let (first, minute) = (credentials(), SignedDuration::from_secs(60));
        assert!(first.are_good(now) && !first.are_good(now + minute));
        write("two");
        assert_eq!(sent(&login).unwrap(), "Bearer one");
        first.refuse();
        assert_eq!(sent(&login).unwrap(), "Bearer two");
        // A missing or half-written file doesn't end a login that worked.
        for broken in ["", "a\nb"] {
            write(broken);
            credentials().refuse();
            assert_eq!(sent(&login).unwrap(), "Bearer two");
        }
    }

    #[test]
    fn what_cannot_be_sent_is_named_and_not_quoted() {
        assert_eq!(
            said(login(r#"token: "hunter2\n""#)),
            "token of user me: it holds a line break, or another character that no HTTP header may hold"
        );
        assert_eq!(
            said(login("{auth-provider: {name: oidc, config: {id-token: \"hunter2\\r\"}}}")),
            "id-token of user me: it holds a line break, or another character that no HTTP header may hold"
        );
        for (content, problem) in [
            ("\n \n", "it is empty"),
            ("a\nb", "it holds a line break, or another character that no HTTP header may hold"),
        ] {
            let file = tempfile::NamedTempFile::new().unwrap();
            fs::write(file.path(), content).unwrap();
            let login = login(&format!("tokenFile: {}", file.path().display())).unwrap();
            assert_eq!(said(block_on(login.credentials())), format!("tokenFile of user me: {problem}"));
        }
        let missing = login("tokenFile: /no/such").unwrap();
        assert_eq!(said(block_on(missing.credentials())), "tokenFile of user me: /no/such can't be read");
    }

    #[test]
    fn users_log_in_as_kubectl_has_them_do() {
        assert_eq!(sent(&login("{username: me, password: 'a:b'}").unwrap()).unwrap(), "Basic bWU6YTpi");
        assert_eq!(sent(&login("{username: me}").unwrap()).unwrap(), "Basic bWU6");
        assert_eq!(sent(&login("{token: '', tokenFile: '', username: ''}").unwrap()), None);
        let oidc = "{auth-provider: {name: oidc, config: {id-token: t}}}";
        assert_eq!(sent(&login(oidc).unwrap()).unwrap(), "Bearer t");
        assert_eq!(
            said(login("{auth-provider: {name: gcp}}")),
            "auth-provider gcp of user me isn't supported"
        );
        for both in ["{token: t, username: me}", "{tokenFile: /t, password: p}"] {
            assert!(matches!(login(both), Err(RouteError::TwoLogins(_))), "{both}");
        }
    }

    /// A login program that counts its runs. Each run gives another token, which ends at `expires`.
    fn counting(dir: &Path, expires: &str) -> Login {
        let runs = dir.join("runs").display().to_string();
        login(&format!(
            "exec:\n  apiVersion: client.authentication.k8s.io/v1\n  interactiveMode: Never\n  command: sh\n  args:\n  \
             - -c\n  - |\n    echo run >> {runs}\n    printf '{{\"apiVersion\":\"client.authentication.k8s.io/v1\",\
             \"kind\":\"ExecCredential\",\"status\":{{\"expirationTimestamp\":{expires},\"token\":\"%s\"}}}}' \
             $(wc -l < {runs})\n"
        ))
        .unwrap()
    }

    #[test]
    fn a_login_program_runs_once_until_its_token_ends_or_is_refused() {
        for expires in ["\"2035-01-01T00:00:00Z\"", "null"] {
            let dir = tempfile::tempdir().unwrap();
            let login = counting(dir.path(), expires);
            assert_eq!(sent(&login).unwrap(), "Bearer 1");
            assert_eq!(sent(&login.clone()).unwrap(), "Bearer 1");
            block_on(login.credentials()).unwrap().refuse();
            assert_eq!(sent(&login).unwrap(), "Bearer 2");
        }
        let dir = tempfile::tempdir().unwrap();
        let login = counting(dir.path(), "\"2020-01-01T00:00:00Z\"");
        assert_eq!(sent(&login).unwrap(), "Bearer 1");
        assert_eq!(sent(&login).unwrap(), "Bearer 2");
    }

    #[test]
    fn a_login_program_is_not_run_for_who_has_credentials() {
        let exec = "exec: {apiVersion: client.authentication.k8s.io/v1, command: /no/such}";
        for (other, expected) in [
            ("token: t", Some("Bearer t")),
            ("username: me", Some("Basic bWU6")),
            ("client-certificate: /x", None),
        ] {
            let login = login(&format!("{{{exec}, {other}}}")).unwrap();
            assert_eq!(sent(&login).as_deref(), expected, "{other}");
        }
    }
}
