//! An ssh agent that holds keys and signs with them, over any stream of bytes.
//!
//! Of the protocol (draft-ietf-sshm-ssh-agent) two questions are answered: which keys there are, and a signature by one
//! of them. Whatever else is asked, adding keys, removing or locking them, is refused, as is a signature with SHA-1.

use crate::engine::ssh_key::{RsaHash, SshKey, string};

const FAILURE: u8 = 5;
const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES_ANSWER: u8 = 12;
const SIGN_REQUEST: u8 = 13;
const SIGN_RESPONSE: u8 = 14;

const RSA_SHA2_256: u32 = 2;
const RSA_SHA2_512: u32 = 4;

/// The largest question that is read, as OpenSSH's agent has it.
const LARGEST_MESSAGE: usize = 256 << 10;

/// One conversation with an agent.
pub(super) struct Agent {
    keys: Vec<SshKey>,
    unread: Vec<u8>,
}

/// A question that is too large to be one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLarge;

impl Agent {
    pub(super) fn with(keys: Vec<SshKey>) -> Self {
        Self { keys, unread: Vec::new() }
    }

    /// Takes what was written to it and gives the answers to the questions that are complete.
    pub(super) fn hear(&mut self, bytes: &[u8]) -> Result<Vec<u8>, TooLarge> {
        self.unread.extend_from_slice(bytes);
        let mut answers = Vec::new();
        while let Some((length, rest)) = self.unread.split_first_chunk::<4>() {
            let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
            if length > LARGEST_MESSAGE {
                return Err(TooLarge);
            }
            let Some(message) = rest.get(..length) else {
                break;
            };
            let answer = self.answer(message).unwrap_or_else(|| vec![FAILURE]);
            answers.extend(string(&answer).unwrap_or_default());
            self.unread.drain(..4 + length);
        }
        Ok(answers)
    }

    fn answer(&self, message: &[u8]) -> Option<Vec<u8>> {
        let (kind, content) = message.split_first()?;
        match *kind {
            REQUEST_IDENTITIES => self.identities(),
            SIGN_REQUEST => self.signature(content),
            _ => None,
        }
    }

    fn identities(&self) -> Option<Vec<u8>> {
        let mut answer = vec![IDENTITIES_ANSWER];
        answer.extend(u32::try_from(self.keys.len()).ok()?.to_be_bytes());
        for key in &self.keys {
            answer.extend(string(key.public())?);
            answer.extend(string(key.comment().as_bytes())?);
        }
        Some(answer)
    }

    fn signature(&self, question: &[u8]) -> Option<Vec<u8>> {
        let (public, rest) = split_string(question)?;
        let (message, rest) = split_string(rest)?;
        let (flags, _) = rest.split_first_chunk::<4>()?;
        let flags = u32::from_be_bytes(*flags);
        let rsa_hash = match () {
            () if flags & RSA_SHA2_512 != 0 => Some(RsaHash::Sha512),
            () if flags & RSA_SHA2_256 != 0 => Some(RsaHash::Sha256),
            () => None,
        };
        let key = self.keys.iter().find(|key| key.public() == public)?;
        let signature = key.sign(message, rsa_hash)?;
        Some([&[SIGN_RESPONSE], string(&signature)?.as_slice()].concat())
    }
}

fn split_string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent() -> (Agent, SshKey) {
        let key = SshKey::from_openssh(include_bytes!("../../../test_keys/ed25519")).unwrap();
        (Agent::with(vec![key.clone()]), key)
    }

    fn question(kind: u8, content: &[u8]) -> Vec<u8> {
        string(&[&[kind], content].concat()).unwrap()
    }

    fn to_sign(key: &SshKey, flags: u32) -> Vec<u8> {
        let content = [string(key.public()).unwrap(), string(b"message").unwrap(), flags.to_be_bytes().to_vec()];
        question(SIGN_REQUEST, &content.concat())
    }

    #[test]
    fn the_keys_are_listed_with_their_comments() {
        let (mut agent, key) = agent();
        let answer = agent.hear(&question(REQUEST_IDENTITIES, &[])).unwrap();
        let expected =
            [vec![IDENTITIES_ANSWER, 0, 0, 0, 1], string(key.public()).unwrap(), string(b"a comment").unwrap()];
        assert_eq!(answer, string(&expected.concat()).unwrap());
    }

    #[test]
    fn a_key_that_it_holds_signs_and_another_does_not() {
        let (mut agent, key) = agent();
        assert_eq!(agent.hear(&to_sign(&key, 0)).unwrap()[4], SIGN_RESPONSE);
        let other = SshKey::from_openssh(include_bytes!("../../../test_keys/ecdsa256")).unwrap();
        assert_eq!(agent.hear(&to_sign(&other, 0)).unwrap(), question(FAILURE, &[]));
    }

    #[test]
    fn an_rsa_key_signs_with_the_hash_that_is_asked_for_and_never_with_sha1() {
        let key = SshKey::from_openssh(include_bytes!("../../../test_keys/rsa2048")).unwrap();
        let mut agent = Agent::with(vec![key.clone()]);
        for (flags, name) in [(RSA_SHA2_256, "rsa-sha2-256"), (RSA_SHA2_512, "rsa-sha2-512")] {
            let answer = agent.hear(&to_sign(&key, flags)).unwrap();
            assert!(answer.windows(name.len()).any(|window| window == name.as_bytes()), "{name}");
        }
        assert_eq!(agent.hear(&to_sign(&key, 0)).unwrap(), question(FAILURE, &[]));
    }

    #[test]
    fn everything_else_is_refused() {
        let (mut agent, _) = agent();
        for kind in (0..=u8::MAX).filter(|kind| ![REQUEST_IDENTITIES, SIGN_REQUEST].contains(kind)) {
            assert_eq!(agent.hear(&question(kind, b"anything")).unwrap(), question(FAILURE, &[]), "{kind}");
        }
        for broken in [vec![], vec![0xff; 3], [vec![0, 0, 0, 9], vec![1]].concat()] {
            assert_eq!(agent.hear(&question(SIGN_REQUEST, &broken)).unwrap(), question(FAILURE, &[]));
        }
        assert_eq!(agent.hear(&[0, 0, 0, 0]).unwrap(), question(FAILURE, &[]));
    }

    #[test]
    fn questions_arrive_in_pieces_and_several_at_once() {
        let (mut agent, _) = agent();
        let twice = [question(1, &[]), question(2, &[])].concat();
        for byte in &twice[..twice.len() - 1] {
            agent.hear(&[*byte]).unwrap();
        }
        assert_eq!(agent.hear(&twice[twice.len() - 1..]).unwrap(), question(FAILURE, &[]));
        assert_eq!(agent.hear(&twice).unwrap(), [question(FAILURE, &[]), question(FAILURE, &[])].concat());
    }

    #[test]
    fn a_question_without_end_is_not_waited_for() {
        let (mut agent, _) = agent();
        assert_eq!(agent.hear(&[0xff; 8]), Err(TooLarge));
    }
}
