//! Which key an ssh server should have.

use ring::hmac;
use russh::keys::ssh_key::known_hosts::{Entry, HostPatterns, Marker};
use russh::keys::{Algorithm, HashAlg, PublicKey};

use crate::source::SourceError;
use crate::source::address::SshAddress;

/// The keys that a server may have, and those that were revoked.
#[derive(Debug)]
pub(super) struct HostKeys {
    server: String,
    known: Vec<PublicKey>,
    revoked: Vec<PublicKey>,
}

impl HostKeys {
    /// Those that `known_hosts` has for a server.
    pub(super) fn of(address: &SshAddress, known_hosts: Option<&str>) -> Result<Self, SourceError> {
        let server = address.server();
        let mut keys = Self { server: server.clone(), known: Vec::new(), revoked: Vec::new() };
        for (index, line) in known_hosts.unwrap_or_default().lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            // Keys of kinds that are not known here do no harm; a line that is none at all is a mistake to be told of.
            let Ok(entry) = line.parse::<Entry>() else {
                if line.split_whitespace().count() < 3 {
                    return Err(SourceError::Invalid(format!(
                        "line {} of known_hosts in the source's Secret is not one; each has a host, a kind of key and a key",
                        index + 1
                    )));
                }
                continue;
            };
            if !is_meant(entry.host_patterns(), &server) {
                continue;
            }
            match entry.marker() {
                None => keys.known.push(entry.public_key().clone()),
                Some(Marker::Revoked) => keys.revoked.push(entry.public_key().clone()),
                // Certificates of hosts are not understood, so an authority vouches for nobody.
                Some(Marker::CertAuthority) => {}
            }
        }
        if keys.known.is_empty() {
            return Err(keys.unknown());
        }
        Ok(keys)
    }

    /// The kinds of keys that are asked for: a server that has several must show one that is known.
    pub(super) fn algorithms(&self) -> Vec<Algorithm> {
        let mut algorithms = Vec::new();
        for key in &self.known {
            let of_key = match key.algorithm() {
                // The key is the same whatever it signs with; signatures with SHA-1 are not taken.
                Algorithm::Rsa { .. } => {
                    vec![Algorithm::Rsa { hash: Some(HashAlg::Sha512) }, Algorithm::Rsa { hash: Some(HashAlg::Sha256) }]
                }
                other => vec![other],
            };
            for algorithm in of_key {
                if !algorithms.contains(&algorithm) {
                    algorithms.push(algorithm);
                }
            }
        }
        algorithms
    }

    /// Whether a server with this key is the one that is meant.
    pub(super) fn check(&self, key: &PublicKey) -> Result<(), SourceError> {
        let is = |known: &PublicKey| known.key_data() == key.key_data();
        if self.revoked.iter().any(is) {
            return Err(SourceError::HostKeyMismatch(format!(
                "the ssh server {} has a key that known_hosts names as @revoked ({})",
                self.server,
                key.fingerprint(HashAlg::Sha256)
            )));
        }
        if self.known.iter().any(is) {
            return Ok(());
        }
        Err(SourceError::HostKeyMismatch(format!(
            "the ssh server {} has another key ({}) than known_hosts in the source's Secret says; if its key was changed on purpose, put the new one there, else somebody may be in between",
            self.server,
            key.fingerprint(HashAlg::Sha256)
        )))
    }

    /// The server has no key of a kind that is known.
    pub(super) fn no_common_kind(&self) -> SourceError {
        SourceError::HostKeyMismatch(format!(
            "the ssh server {} has no key of the kinds that known_hosts in the source's Secret has for it; put the line of one that it has there",
            self.server
        ))
    }

    fn unknown(&self) -> SourceError {
        SourceError::HostKeyUnknown(format!(
            "nothing says which key the ssh server {} should have: put its line, as ssh-keyscan prints it and its owner confirms it, into the key known_hosts of the source's Secret",
            self.server
        ))
    }
}

/// Whether a line is about a server. It is not when one of its patterns with `!` is, whatever the others say.
fn is_meant(patterns: &HostPatterns, server: &str) -> bool {
    match patterns {
        HostPatterns::Patterns(patterns) => {
            let (negated, plain): (Vec<&str>, Vec<&str>) =
                patterns.iter().map(String::as_str).partition(|pattern| pattern.starts_with('!'));
            plain.iter().any(|pattern| fits(pattern, server))
                && !negated.iter().any(|pattern| fits(&pattern[1..], server))
        }
        HostPatterns::HashedName { salt, hash } => {
            let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, salt);
            hmac::verify(&key, server.to_ascii_lowercase().as_bytes(), hash).is_ok()
        }
    }
}

/// Whether a pattern with `*` and `?` fits a whole name; letters fit whatever their case.
fn fits(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.to_ascii_lowercase().into_bytes(), name.to_ascii_lowercase().into_bytes());
    let (mut at, mut in_name) = (0, 0);
    // Where to go on when what follows the last star does not fit: the star takes one more.
    let mut star: Option<(usize, usize)> = None;
    while in_name < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, in_name));
                at += 1;
            }
            Some(&byte) if byte == b'?' || byte == name[in_name] => {
                at += 1;
                in_name += 1;
            }
            _ => match star {
                Some((star_at, taken)) => {
                    star = Some((star_at, taken + 1));
                    at = star_at + 1;
                    in_name = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|&byte| byte == b'*')
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;

    use super::*;
    use crate::source::address::GitAddress;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";
    const OTHER: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";

    fn keys(known_hosts: &str, url: &str) -> Result<HostKeys, SourceError> {
        let GitAddress::Ssh(address) = GitAddress::parse(url).unwrap() else { panic!("{url} is not ssh") };
        HostKeys::of(&address, Some(known_hosts))
    }

    fn key(text: &str) -> PublicKey {
        text.parse().unwrap()
    }

    #[test]
    fn a_server_is_found_by_its_name_and_port() {
        for (hosts, url) in [
            ("host", "git@host:a"),
            ("HOST,192.0.2.1", "git@host:a"),
            ("[host]:2222", "ssh://git@host:2222/a"),
            ("*.example.com", "git@git.example.com:a"),
            ("*.example.com,!bad.example.com", "git@git.example.com:a"),
        ] {
            let keys = keys(&format!("# a comment\n\n{hosts} {KEY} a comment\n"), url).unwrap();
            assert_eq!(keys.check(&key(KEY)), Ok(()), "{hosts}");
            assert!(matches!(keys.check(&key(OTHER)), Err(SourceError::HostKeyMismatch(_))), "{hosts}");
        }
    }

    #[test]
    fn a_server_that_no_line_is_about_is_unknown() {
        for (hosts, url) in [
            ("other", "git@host:a"),
            ("host", "ssh://git@host:2222/a"),
            ("[host]:2222", "git@host:a"),
            ("host", "git@host.evil.com:a"),
            ("*.example.com,!bad.example.com", "git@bad.example.com:a"),
            ("@cert-authority host", "git@host:a"),
            ("@revoked host", "git@host:a"),
        ] {
            let error = keys(&format!("{hosts} {KEY}"), url).unwrap_err();
            let SourceError::HostKeyUnknown(sentence) = error else { panic!("{hosts}: {error}") };
            assert!(sentence.contains("into the key known_hosts of the source's Secret"), "{sentence}");
        }
        let GitAddress::Ssh(address) = GitAddress::parse("git@host:a").unwrap() else { panic!("ssh") };
        assert!(matches!(HostKeys::of(&address, None), Err(SourceError::HostKeyUnknown(_))));
    }

    #[test]
    fn hashed_names_are_understood() {
        // As `ssh-keygen -H` writes the host `git.example.com`.
        let salt = [7; 20];
        let hash = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &salt), b"git.example.com");
        let encoded = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
        let line = format!("|1|{}|{} {KEY}", encoded(&salt), encoded(hash.as_ref()));
        assert!(keys(&line, "git@git.example.com:a").is_ok());
        assert!(keys(&line, "git@example.com:a").is_err());
    }

    #[test]
    fn a_revoked_key_is_refused_although_another_line_has_it() {
        let keys = keys(&format!("host {KEY}\n@revoked * {KEY}"), "git@host:a").unwrap();
        assert!(matches!(keys.check(&key(KEY)), Err(SourceError::HostKeyMismatch(_))));
    }

    #[test]
    fn only_kinds_of_keys_that_are_known_are_asked_for() {
        let keys = keys(&format!("host {KEY}\nhost ssh-unheard-of AAAA\n"), "git@host:a").unwrap();
        assert_eq!(keys.algorithms(), [Algorithm::Ed25519]);
    }

    #[test]
    fn a_line_that_is_none_is_named() {
        let error = keys("host\n", "git@host:a").unwrap_err();
        assert!(error.to_string().starts_with("line 1 of known_hosts"), "{error}");
    }

    #[test]
    fn patterns_fit_whole_names() {
        for (pattern, name) in [("*", "x"), ("a*c", "abbc"), ("a*b*c", "aXbYbZc"), ("?", "x"), ("*x*", "x"), ("", "")] {
            assert!(fits(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("a", "ab"), ("*a", "ab"), ("?", ""), ("a?", "a"), ("a*c", "ab"), ("", "a")] {
            assert!(!fits(pattern, name), "{pattern} {name}");
        }
    }
}
