//! Private keys for ssh that sign here and never leave this process.
//!
//! The file's format is read with `ssh-key`, and what signs is ring, which TLS uses as well: the `rsa` crate has an
//! open advisory about its timing (RUSTSEC-2023-0071).

use std::fmt;
use std::sync::Arc;

use num_bigint::BigUint;
use ring::rand::SystemRandom;
use ring::rsa;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    Ed25519KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA512, RsaEncoding,
};
use ssh_key::private::{EcdsaKeypair, KeypairData, RsaKeypair};
use ssh_key::{EcdsaCurve, Mpint, PrivateKey};

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
        let key = PrivateKey::from_openssh(pem).map_err(|_| SshKeyError::Malformed)?;
        if key.is_encrypted() {
            return Err(SshKeyError::Encrypted);
        }
        let unfit = || SshKeyError::Kind(key.algorithm().to_string());
        let signer = match key.key_data() {
            KeypairData::Ed25519(pair) => {
                let (seed, public) = (pair.private.to_bytes(), pair.public.as_ref());
                Signer::Ed25519(Ed25519KeyPair::from_seed_and_public_key(&seed, public).map_err(|_| unfit())?)
            }
            KeypairData::Ecdsa(pair) => ecdsa(pair).ok_or_else(unfit)?,
            KeypairData::Rsa(pair) => Signer::Rsa(rsa_pair(pair).ok_or_else(unfit)?),
            _ => return Err(unfit()),
        };
        Ok(Self(Arc::new(Key {
            public: key.public_key().to_bytes().map_err(|_| SshKeyError::Malformed)?,
            comment: key.comment().to_owned(),
            fingerprint: key.fingerprint(ssh_key::HashAlg::Sha256).to_string(),
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

fn ecdsa(pair: &EcdsaKeypair) -> Option<Signer> {
    let (signing, algorithm): (&EcdsaSigningAlgorithm, _) = match pair.curve() {
        EcdsaCurve::NistP256 => (&ECDSA_P256_SHA256_FIXED_SIGNING, "ecdsa-sha2-nistp256"),
        EcdsaCurve::NistP384 => (&ECDSA_P384_SHA384_FIXED_SIGNING, "ecdsa-sha2-nistp384"),
        EcdsaCurve::NistP521 => return None,
    };
    let (private, public) = (pair.private_key_bytes(), pair.public_key_bytes());
    let pair = EcdsaKeyPair::from_private_key_and_public_key(signing, private, public, &SystemRandom::new()).ok()?;
    Some(Signer::Ecdsa { pair, algorithm })
}

/// OpenSSH's format leaves out two of the numbers that ring wants, which follow from the others.
fn rsa_pair(pair: &RsaKeypair) -> Option<rsa::KeyPair> {
    let positive = Mpint::as_positive_bytes;
    let (d, p, q) = (positive(&pair.private.d)?, positive(&pair.private.p)?, positive(&pair.private.q)?);
    let exponent = |prime: &[u8]| {
        let one_less = BigUint::from_bytes_be(prime) - 1_u8;
        (one_less > BigUint::ZERO).then(|| (BigUint::from_bytes_be(d) % one_less).to_bytes_be())
    };
    if p.is_empty() || q.is_empty() {
        return None;
    }
    let components = rsa::KeyPairComponents {
        public_key: rsa::PublicKeyComponents { n: positive(&pair.public.n)?, e: positive(&pair.public.e)? },
        d,
        p,
        q,
        dP: &exponent(p)?,
        dQ: &exponent(q)?,
        qInv: positive(&pair.private.iqmp)?,
    };
    rsa::KeyPair::from_components(&components).ok()
}

/// Bytes with their length in front (RFC 4251, section 5).
pub(crate) fn string(bytes: &[u8]) -> Option<Vec<u8>> {
    let length = u32::try_from(bytes.len()).ok()?;
    Some([&length.to_be_bytes(), bytes].concat())
}

/// A positive number, as `mpint` of RFC 4251.
fn number(bytes: &[u8]) -> Option<Vec<u8>> {
    string(Mpint::from_positive_bytes(bytes).ok()?.as_bytes())
}
