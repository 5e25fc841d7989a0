//! Private keys for ssh that sign here and never leave this process.
//!
//! What signs is ring, which TLS uses as well: the `rsa` crate has an open advisory about its timing
//! (RUSTSEC-2023-0071). OpenSSH's format is read here too: `ssh-key`, up to 0.7.0-rc.12, refuses an ECDSA key whose
//! private number begins with zeros, one of 256.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use num_bigint::BigUint;
use ring::rand::SystemRandom;
use ring::rsa;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    Ed25519KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA512, RsaEncoding,
};
use secrecy::{ExposeSecret, SecretSlice};
use sha2::{Digest as _, Sha256};

const BEGIN: &str = "-----BEGIN OPENSSH PRIVATE KEY-----";
const END: &str = "-----END OPENSSH PRIVATE KEY-----";
/// What OpenSSH's format begins with (`PROTOCOL.key` in its sources).
const MAGIC: &[u8] = b"openssh-key-v1\0";

/// A private key. It has no `Debug` but its public fingerprint. Clones are the same key.
#[derive(Clone)]
pub struct SshKey(Arc<Key>);

struct Key {
    /// The public key, as it goes over the wire (RFC 4253, section 6.6).
    public: Vec<u8>,
    comment: String,
    fingerprint: String,
    signer: Signer,
}

enum Signer {
    Ed25519(Ed25519KeyPair),
    Ecdsa { pair: EcdsaKeyPair, algorithm: &'static str },
    Rsa(rsa::KeyPair),
}

/// How an RSA key signs. A key of another kind has one way only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RsaHash {
    /// `rsa-sha2-256` (RFC 8332).
    Sha256,
    /// `rsa-sha2-512`.
    Sha512,
}

/// What is wrong with a private key. It is never quoted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SshKeyError {
    /// It is no key, or none in this format.
    #[error(
        "it is not a private key in OpenSSH's format, which begins with -----BEGIN OPENSSH PRIVATE KEY-----; \
         `ssh-keygen -p -f FILE` rewrites an older one"
    )]
    Malformed,
    /// It has a passphrase.
    #[error("it is protected by a passphrase, and nobody is there to give it; use a key without one")]
    Encrypted,
    /// It is of a kind that does not sign here.
    #[error("it is of the kind {0}; use ed25519, ecdsa with nistp256 or nistp384, or rsa with 2048 to 4096 bits")]
    Kind(String),
}

impl SshKey {
    /// Reads a key in OpenSSH's format.
    pub fn from_openssh(pem: &[u8]) -> Result<Self, SshKeyError> {
        let decoded = decoded(pem).ok_or(SshKeyError::Malformed)?;
        let mut file = Wire(decoded.expose_secret().strip_prefix(MAGIC).ok_or(SshKeyError::Malformed)?);
        let header = (file.string(), file.string(), file.string(), file.number(), file.string(), file.string());
        let (Some(cipher), Some(_), Some(_), Some(1), Some(public), Some(private)) = header else {
            return Err(SshKeyError::Malformed);
        };
        if cipher != b"none" {
            return Err(SshKeyError::Encrypted);
        }
        let mut private = Wire(private);
        // A number stands there twice: it tells that a passphrase was right, where there is one.
        let is_whole = private.number().is_some_and(|number| private.number() == Some(number));
        let kind = private.string().filter(|_| is_whole).ok_or(SshKeyError::Malformed)?;
        let unfit = || SshKeyError::Kind(String::from_utf8_lossy(kind).into_owned());
        let signer = match kind {
            b"ssh-ed25519" => ed25519(&mut private),
            b"ecdsa-sha2-nistp256" => ecdsa(&mut private, &ECDSA_P256_SHA256_FIXED_SIGNING, "ecdsa-sha2-nistp256", 32),
            b"ecdsa-sha2-nistp384" => ecdsa(&mut private, &ECDSA_P384_SHA384_FIXED_SIGNING, "ecdsa-sha2-nistp384", 48),
            b"ssh-rsa" => rsa_pair(&mut private).map(Signer::Rsa),
            _ => None,
        }
        .ok_or_else(unfit)?;
        let comment = private.string().ok_or(SshKeyError::Malformed)?;
        Ok(Self(Arc::new(Key {
            public: public.to_vec(),
            comment: String::from_utf8_lossy(comment).into_owned(),
            fingerprint: format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(public))),
            signer,
        })))
    }

    /// The public key, as it goes over the wire.
    pub(crate) fn public(&self) -> &[u8] {
        &self.0.public
    }

    /// What its maker wrote beside it.
    pub(crate) fn comment(&self) -> &str {
        &self.0.comment
    }

    /// The fingerprint of the public key, as `ssh-keygen -l` prints it.
    pub fn fingerprint(&self) -> &str {
        &self.0.fingerprint
    }

    /// A signature, as it goes over the wire: the algorithm's name and its bytes. `None` when it cannot be made.
    pub(crate) fn sign(&self, message: &[u8], rsa_hash: Option<RsaHash>) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        let (algorithm, signature) = match &self.0.signer {
            Signer::Ed25519(pair) => ("ssh-ed25519", pair.sign(message).as_ref().to_vec()),
            Signer::Ecdsa { pair, algorithm } => {
                let signature = pair.sign(&random, message).ok()?;
                let (r, s) = signature.as_ref().split_at(signature.as_ref().len() / 2);
                let numbers = [number(r)?, number(s)?];
                (*algorithm, numbers.concat())
            }
            Signer::Rsa(pair) => {
                let (name, encoding): (_, &dyn RsaEncoding) = match rsa_hash? {
                    RsaHash::Sha256 => ("rsa-sha2-256", &RSA_PKCS1_SHA256),
                    RsaHash::Sha512 => ("rsa-sha2-512", &RSA_PKCS1_SHA512),
                };
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(encoding, &random, message, &mut signature).ok()?;
                (name, signature)
            }
        };
        Some([string(algorithm.as_bytes())?, string(&signature)?].concat())
    }
}

impl fmt::Debug for SshKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("SshKey").field(&self.0.fingerprint).finish()
    }
}

/// What stands between the lines of PEM.
fn decoded(pem: &[u8]) -> Option<SecretSlice<u8>> {
    let text = str::from_utf8(pem).ok()?;
    let (_, text) = text.split_once(BEGIN)?;
    let (text, _) = text.split_once(END)?;
    let text: SecretSlice<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect::<Vec<u8>>().into();
    STANDARD.decode(text.expose_secret()).ok().map(SecretSlice::from)
}

/// Numbers and strings, one after the other, as RFC 4251 writes them.
struct Wire<'a>(&'a [u8]);

impl<'a> Wire<'a> {
    fn number(&mut self) -> Option<u32> {
        let (number, rest) = self.0.split_first_chunk::<4>()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*number))
    }

    fn string(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        let (string, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(string)
    }

    /// A number of any length, without zeros at its beginning.
    fn positive(&mut self) -> Option<&'a [u8]> {
        let bytes = self.string()?;
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        Some(&bytes[zeros..])
    }
}

fn ed25519(key: &mut Wire<'_>) -> Option<Signer> {
    let (public, private) = (key.string()?, key.string()?);
    let (seed, _) = private.split_at_checked(32)?;
    Ed25519KeyPair::from_seed_and_public_key(seed, public).ok().map(Signer::Ed25519)
}

fn ecdsa(
    key: &mut Wire<'_>,
    signing: &'static EcdsaSigningAlgorithm,
    algorithm: &'static str,
    length: usize,
) -> Option<Signer> {
    let (_curve, public, number) = (key.string()?, key.string()?, key.positive()?);
    let zeros = vec![0; length.checked_sub(number.len())?];
    let private: SecretSlice<u8> = [zeros.as_slice(), number].concat().into();
    let random = SystemRandom::new();
    let pair = EcdsaKeyPair::from_private_key_and_public_key(signing, private.expose_secret(), public, &random).ok()?;
    Some(Signer::Ecdsa { pair, algorithm })
}

/// OpenSSH's format leaves out two of the numbers that ring wants, which follow from the others.
fn rsa_pair(key: &mut Wire<'_>) -> Option<rsa::KeyPair> {
    let public_key = rsa::PublicKeyComponents { n: key.positive()?, e: key.positive()? };
    let (own, q_inverse, p, q) = (key.positive()?, key.positive()?, key.positive()?, key.positive()?);
    let exponent = |prime: &[u8]| -> Option<SecretSlice<u8>> {
        let prime = BigUint::from_bytes_be(prime);
        let one = BigUint::from(1_u8);
        (prime > one).then(|| (BigUint::from_bytes_be(own) % (prime - one)).to_bytes_be().into())
    };
    let (d_p, d_q) = (exponent(p)?, exponent(q)?);
    let components = rsa::KeyPairComponents {
        public_key,
        d: own,
        p,
        q,
        dP: d_p.expose_secret(),
        dQ: d_q.expose_secret(),
        qInv: q_inverse,
    };
    rsa::KeyPair::from_components(&components).ok()
}

/// Bytes with their length in front (RFC 4251, section 5).
pub(crate) fn string(bytes: &[u8]) -> Option<Vec<u8>> {
    let length = u32::try_from(bytes.len()).ok()?;
    Some([&length.to_be_bytes(), bytes].concat())
}

/// A positive number, as `mpint` of RFC 4251: without zeros at its beginning, but for one where its first bit is set.
fn number(bytes: &[u8]) -> Option<Vec<u8>> {
    let bytes: Vec<u8> = bytes.iter().copied().skip_while(|byte| *byte == 0).collect();
    let sign: &[u8] = if bytes.first().is_some_and(|first| *first >= 0x80) { &[0] } else { &[] };
    string(&[sign, &bytes].concat())
}

#[cfg(test)]
mod tests {
    use ring::signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
        RSA_PKCS1_2048_8192_SHA512, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
    };

    use super::*;

    const MESSAGE: &[u8] = b"what is signed";

    fn key(pem: &[u8]) -> SshKey {
        SshKey::from_openssh(pem).unwrap()
    }

    /// The parts of something on the wire that consists of strings.
    fn strings(mut bytes: &[u8]) -> Vec<&[u8]> {
        let mut all = Vec::new();
        while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
            let (text, rest) = rest.split_at(u32::from_be_bytes(*length) as usize);
            all.push(text);
            bytes = rest;
        }
        all
    }

    #[test]
    fn an_ed25519_key_signs() {
        let key = key(include_bytes!("test_keys/ed25519"));
        let signature = key.sign(MESSAGE, Some(RsaHash::Sha256)).unwrap();
        let (signature, public) = (strings(&signature), strings(key.public()));
        assert_eq!((signature[0], public[0]), (b"ssh-ed25519".as_slice(), b"ssh-ed25519".as_slice()));
        UnparsedPublicKey::new(&ED25519, public[1]).verify(MESSAGE, signature[1]).unwrap();
        assert_eq!(key.comment(), "a comment");
        assert!(key.fingerprint().starts_with("SHA256:"), "{}", key.fingerprint());
    }

    #[test]
    fn ecdsa_keys_sign_with_numbers_of_any_length() {
        let cases: [(&[u8], &str, usize, &dyn VerificationAlgorithm); 2] = [
            (include_bytes!("test_keys/ecdsa256"), "ecdsa-sha2-nistp256", 32, &ECDSA_P256_SHA256_FIXED),
            (include_bytes!("test_keys/ecdsa384"), "ecdsa-sha2-nistp384", 48, &ECDSA_P384_SHA384_FIXED),
        ];
        for (pem, name, length, algorithm) in cases {
            let key = key(pem);
            let public = strings(key.public());
            // A number that begins with a set bit has a zero in front, one that begins with zeros is shorter; the private
            // number of the first key begins with zeros.
            for _ in 0..300 {
                let signature = key.sign(MESSAGE, None).unwrap();
                let signature = strings(&signature);
                assert_eq!(signature[0], name.as_bytes());
                let fixed: Vec<u8> = strings(signature[1])
                    .into_iter()
                    .flat_map(|number| {
                        let number: Vec<u8> = number.iter().copied().skip_while(|byte| *byte == 0).collect();
                        [vec![0; length - number.len()], number].concat()
                    })
                    .collect();
                UnparsedPublicKey::new(algorithm, public[2]).verify(MESSAGE, &fixed).unwrap();
            }
        }
    }

    #[test]
    fn an_rsa_key_signs_with_sha2_alone() {
        let key = key(include_bytes!("test_keys/rsa2048"));
        let public = strings(key.public());
        let number = |bytes: &[u8]| bytes.iter().copied().skip_while(|byte| *byte == 0).collect::<Vec<u8>>();
        let components = RsaPublicKeyComponents { e: number(public[1]), n: number(public[2]) };
        for (hash, name, algorithm) in [
            (RsaHash::Sha256, "rsa-sha2-256", &RSA_PKCS1_2048_8192_SHA256),
            (RsaHash::Sha512, "rsa-sha2-512", &RSA_PKCS1_2048_8192_SHA512),
        ] {
            let signature = key.sign(MESSAGE, Some(hash)).unwrap();
            let signature = strings(&signature);
            assert_eq!(signature[0], name.as_bytes());
            components.verify(algorithm, MESSAGE, signature[1]).unwrap();
        }
        assert_eq!(key.sign(MESSAGE, None), None, "SHA-1");
    }

    #[test]
    fn keys_that_cannot_sign_here_are_refused_without_being_quoted() {
        let cases: [(&[u8], &str); 5] = [
            (include_bytes!("test_keys/encrypted"), "passphrase"),
            (include_bytes!("test_keys/ecdsa521"), "nistp521"),
            (include_bytes!("test_keys/rsa1024"), "ssh-rsa"),
            (b"-----BEGIN RSA PRIVATE KEY-----\ncanary\n", "ssh-keygen -p"),
            (b"canary", "OPENSSH PRIVATE KEY"),
        ];
        for (pem, expected) in cases {
            let error = SshKey::from_openssh(pem).unwrap_err().to_string();
            assert!(error.contains(expected) && !error.contains("canary"), "{error}");
        }
    }

    #[test]
    fn a_key_shows_its_fingerprint_alone() {
        let key = key(include_bytes!("test_keys/ed25519"));
        assert_eq!(format!("{key:?}"), format!("SshKey({:?})", key.fingerprint()));
    }
}
