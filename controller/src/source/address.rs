//! Where a source is, and how that is written for people.

use std::fmt;

use reqwest::Url;

use super::SourceError;

/// The port that ssh servers listen on.
const SSH_PORT: u16 = 22;

/// Where a git repository is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum GitAddress {
    /// Behind HTTP or HTTPS.
    Web(Url),
    /// Behind ssh.
    Ssh(SshAddress),
}

/// Where a repository is behind ssh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SshAddress {
    pub(super) user: String,
    pub(super) host: String,
    pub(super) port: u16,
    /// The path on the server. The scp form `git@host:path` gives one that is relative to the user's folder.
    pub(super) path: String,
}

impl GitAddress {
    /// Reads an address: `https://…`, `http://…`, `ssh://user@host:port/path` or `user@host:path`.
    pub(super) fn parse(text: &str) -> Result<Self, SourceError> {
        check_characters(text)?;
        if !text.contains("://") {
            return Self::in_scp_form(text);
        }
        let url = parse_url(text)?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err(invalid(&url, "it has a query or a fragment; write the address that git clone takes"));
        }
        match url.scheme() {
            "https" | "http" => {
                check_web(&url)?;
                Ok(Self::Web(url))
            }
            "ssh" => Self::in_ssh_form(&url),
            _ => Err(invalid(&url, "git repositories are read by https://, http:// and ssh://")),
        }
    }

    /// The address that a submodule names, seen from the repository that it stands in: whole, or relative to it.
    pub(super) fn submodule(&self, text: &str) -> Result<Self, SourceError> {
        if !text.starts_with("./") && !text.starts_with("../") {
            return Self::parse(text);
        }
        check_characters(text)?;
        let own = match self {
            Self::Web(url) => url.path(),
            Self::Ssh(ssh) => &ssh.path,
        };
        let is_rooted = own.starts_with('/');
        let mut components: Vec<&str> = own.trim_matches('/').split('/').filter(|name| !name.is_empty()).collect();
        for component in text.split('/') {
            match component {
                "" | "." => {}
                ".." => {
                    if components.pop().is_none() {
                        return Err(SourceError::Unsafe(format!(
                            "the submodule's address \"{text}\" leads out of {self}; write the whole address"
                        )));
                    }
                }
                name => components.push(name),
            }
        }
        let path = format!("{}{}", if is_rooted { "/" } else { "" }, components.join("/"));
        match self {
            Self::Web(url) => {
                let mut url = url.clone();
                url.set_path(&path);
                Ok(Self::Web(url))
            }
            Self::Ssh(ssh) => {
                check_ssh_path(&path, text)?;
                Ok(Self::Ssh(SshAddress { path, ..ssh.clone() }))
            }
        }
    }

    /// Whether what is secret for one of the two may be shown to the other: they have the same scheme, host and port.
    pub(super) fn is_same_server(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Web(one), Self::Web(other)) => one.origin() == other.origin(),
            (Self::Ssh(one), Self::Ssh(other)) => {
                one.host.eq_ignore_ascii_case(&other.host) && one.port == other.port && one.user == other.user
            }
            _ => false,
        }
    }

    fn in_ssh_form(url: &Url) -> Result<Self, SourceError> {
        if url.password().is_some() {
            return Err(invalid(url, "it has a password; put what is secret into the Secret"));
        }
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(|| invalid(url, "it has no host"))?;
        let user = if url.username().is_empty() { "git" } else { url.username() };
        let decoded = percent_decoded(url.path()).ok_or_else(|| invalid(url, "its path is not text"))?;
        Self::ssh(user, host.trim_start_matches('[').trim_end_matches(']'), url.port().unwrap_or(SSH_PORT), &decoded)
    }

    fn in_scp_form(text: &str) -> Result<Self, SourceError> {
        let wrong = || {
            SourceError::Invalid(format!(
                "\"{}\" is not the address of a git repository; write https://host/path, ssh://git@host/path or git@host:path",
                without_user(text)
            ))
        };
        let (server, path) = text.split_once(':').ok_or_else(wrong)?;
        let (user, host) = server.split_once('@').unwrap_or(("git", server));
        // Two colons are git's way to name a program that speaks for it.
        if server.contains('/') || host.is_empty() || path.starts_with(':') {
            return Err(wrong());
        }
        Self::ssh(user, host, SSH_PORT, path)
    }

    fn ssh(user: &str, host: &str, port: u16, path: &str) -> Result<Self, SourceError> {
        let is_plain = |text: &str, also: &str| {
            !text.is_empty()
                && !text.starts_with('-')
                && text.chars().all(|character| character.is_ascii_alphanumeric() || also.contains(character))
        };
        let shown = format!("{host}:{path}");
        if !is_plain(user, "._-") || !is_plain(host, "._-:") {
            return Err(SourceError::Invalid(format!("\"{shown}\" has a user or a host that is not one")));
        }
        check_ssh_path(path, &shown)?;
        Ok(Self::Ssh(SshAddress { user: user.to_owned(), host: host.to_owned(), port, path: path.to_owned() }))
    }
}

/// The address as people may see it: without user and password.
impl fmt::Display for GitAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Web(url) => formatter.write_str(&shown(url)),
            Self::Ssh(ssh) => ssh.fmt(formatter),
        }
    }
}

impl fmt::Display for SshAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slash = if self.path.starts_with('/') { "" } else { "/" };
        write!(formatter, "ssh://{}{slash}{}", self.server(), self.path)
    }
}

impl SshAddress {
    /// The host, and the port where it is not ssh's own, as `known_hosts` writes them.
    pub(super) fn server(&self) -> String {
        if self.port == SSH_PORT { self.host.clone() } else { format!("[{}]:{}", self.host, self.port) }
    }
}

/// Reads the address of an archive.
pub(super) fn archive_address(text: &str) -> Result<Url, SourceError> {
    check_characters(text)?;
    let url = parse_url(text)?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err(invalid(&url, "archives are read by https:// and http://"));
    }
    check_web(&url)?;
    Ok(url)
}

/// A web address as people may see it: without user, password, query and fragment, any of which may be secret.
pub(super) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    // Only an address that cannot have them refuses to lose them.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url.to_string()
}

/// A source's address as people may see it, whatever is wrong with it.
pub fn shown_address(address: &str) -> String {
    GitAddress::parse(address).map_or_else(|_| "the source".to_owned(), |address| address.to_string())
}

fn parse_url(text: &str) -> Result<Url, SourceError> {
    Url::parse(text)
        .map_err(|error| SourceError::Invalid(format!("\"{}\" is not an address: {error}", without_user(text))))
}

fn check_web(url: &Url) -> Result<(), SourceError> {
    if url.username().is_empty() && url.password().is_none() {
        return Ok(());
    }
    Err(invalid(url, "it has a user or a password in it; put them into the Secret"))
}

fn check_ssh_path(path: &str, shown: &str) -> Result<(), SourceError> {
    let problem = if path.trim_matches('/').is_empty() {
        "it has no path"
    } else if path.starts_with('-') {
        "its path begins with a dash"
    } else if path.chars().any(char::is_control) {
        "its path has control characters"
    } else {
        return Ok(());
    };
    Err(SourceError::Invalid(format!("\"{}\" is not the address of a repository: {problem}", shown.escape_debug())))
}

/// Refuses what no address has and what a program on the way may take for something else.
fn check_characters(text: &str) -> Result<(), SourceError> {
    let problem = if text.starts_with('-') {
        "it begins with a dash"
    } else if text.chars().any(|character| character.is_control() || character.is_whitespace()) {
        "it has control characters or spaces"
    } else if text.len() > 2048 {
        "it is longer than 2048 bytes"
    } else {
        return Ok(());
    };
    let start: String = without_user(text).chars().take(100).collect();
    Err(SourceError::Invalid(format!("\"{}\" is not the address of a source: {problem}", start.escape_debug())))
}

/// A text that may not be an address at all, without what may be a user and a password in it.
fn without_user(text: &str) -> String {
    let (scheme, rest) = text.split_once("://").map_or(("", text), |(scheme, rest)| (scheme, rest));
    let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    if scheme.is_empty() { rest.to_owned() } else { format!("{scheme}://{rest}") }
}

fn invalid(url: &Url, problem: &str) -> SourceError {
    SourceError::Invalid(format!("{} is not the address of a source: {problem}", shown(url)))
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let hexadecimal = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let decoded = hexadecimal.filter(|_| byte == b'%').and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(decoded.unwrap_or(byte));
        rest = if decoded.is_some() { &after[2..] } else { after };
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ssh(text: &str) -> SshAddress {
        match GitAddress::parse(text) {
            Ok(GitAddress::Ssh(ssh)) => ssh,
            other => panic!("{text}: {other:?}"),
        }
    }

    fn refusal(text: &str) -> String {
        GitAddress::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn addresses_of_all_forms_are_read() {
        assert_eq!(GitAddress::parse("https://host:8443/a/b.git").unwrap().to_string(), "https://host:8443/a/b.git");
        let expected = SshAddress { user: "git".into(), host: "host".into(), port: 22, path: "/a/b.git".into() };
        assert_eq!(ssh("ssh://git@host/a/b.git"), expected);
        assert_eq!(ssh("ssh://host/a/b.git"), expected);
        assert_eq!(ssh("git@host:/a/b.git"), expected);
        assert_eq!(ssh("git@host:a/b.git").path, "a/b.git");
        assert_eq!(ssh("ssh://me@host:2222/a%20b").path, "/a b");
        assert_eq!(ssh("ssh://me@host:2222/a").server(), "[host]:2222");
        assert_eq!(ssh("ssh://me@host:2222/a").to_string(), "ssh://[host]:2222/a");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "-oProxyCommand=x:y",
            "--upload-pack=x",
            "ssh://-oProxyCommand=x/y",
            "ssh://host/",
            "ssh://host/%0a",
            "git@host:",
            "git@-host:a",
            "host:-a",
            "/etc/passwd",
            "./a",
            "file:///etc",
            "ext::sh -c x",
            "git://host/a",
            "https://host/a b",
            "https://host/a?b",
            "https://host/a\n",
            "",
        ] {
            assert!(GitAddress::parse(text).is_err(), "{text}");
        }
        for text in ["ftp://host/a.tar", "file:///etc/a.tar", "a.tar"] {
            assert!(archive_address(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_may_be_secret_in_an_address_is_not_shown() {
        for text in [
            "https://me:canary@host/a",
            "https://canary@host/a",
            "ssh://me:canary@host/a",
            "https://host/a?token=canary",
            "ftp://me:canary@host/a",
            "https://me:canary@host:port/a",
            "https://me:canary @host/a",
        ] {
            let sentence = refusal(text);
            assert!(!sentence.contains("canary"), "{sentence}");
        }
        let url = archive_address("https://host/a.tar?token=canary").unwrap();
        assert_eq!(shown(&url), "https://host/a.tar");
    }

    #[test]
    fn a_submodule_s_address_is_relative_to_its_repository() {
        let parent = GitAddress::parse("https://host/org/app.git").unwrap();
        for (text, expected) in [
            ("../lib.git", "https://host/org/lib.git"),
            ("../../other/lib", "https://host/other/lib"),
            ("./lib", "https://host/org/app.git/lib"),
            ("https://else/where", "https://else/where"),
            ("git@else:where", "ssh://else/where"),
        ] {
            assert_eq!(parent.submodule(text).unwrap().to_string(), expected);
        }
        let parent = GitAddress::parse("git@host:org/app.git").unwrap();
        assert_eq!(parent.submodule("../lib.git").unwrap(), GitAddress::parse("git@host:org/lib.git").unwrap());
        for text in ["../../../x", "file:///etc", "/etc/passwd", "ext::sh", "../-x\n"] {
            assert!(parent.submodule(text).is_err(), "{text}");
        }
        assert!(parent.submodule("../../-x").is_err());
    }

    #[test]
    fn a_server_is_the_same_only_with_its_scheme_and_port() {
        let is_same =
            |one: &str, other: &str| GitAddress::parse(one).unwrap().is_same_server(&GitAddress::parse(other).unwrap());
        assert!(is_same("https://host/a", "https://HOST:443/b"));
        assert!(is_same("git@host:a", "ssh://git@host:22/b"));
        for (one, other) in [
            ("https://host/a", "http://host/a"),
            ("https://host/a", "https://host:8443/a"),
            ("https://host/a", "https://host.evil.com/a"),
            ("https://host/a", "https://sub.host/a"),
            ("https://host/a", "git@host:a"),
            ("git@host:a", "ssh://git@host:2222/a"),
            ("git@host:a", "me@host:a"),
        ] {
            assert!(!is_same(one, other), "{one} {other}");
        }
    }
}
