//! Credentials that no resource names: those of whoever runs the program.

use async_trait::async_trait;

use crate::app::Credentials;

/// Where credentials come from when no Secret has any for a registry.
#[async_trait]
pub trait AmbientCredentials: Send + Sync {
    /// Those for exactly this host, written as in an image reference; `None` when there are none.
    ///
    /// # Errors
    /// A sentence that says why there may be some that cannot be had. It quotes nothing secret.
    async fn for_host(&self, host: &str) -> Result<Option<Credentials>, String>;

    /// Gives none of these any more, which the registry calls expired. Whether they came from here at all: those of a
    /// Secret have nothing to do with it.
    async fn forget(&self, _refused: &Credentials) -> bool {
        false
    }
}

/// Others in the place of these, which the registry calls expired; `None` where there are no others, or where these came
/// from a Secret.
pub async fn renewed(ambient: &dyn AmbientCredentials, refused: &Credentials) -> Option<Credentials> {
    if !ambient.forget(refused).await {
        return None;
    }
    let found = ambient.for_host(&refused.host).await.ok()??;
    (!found.are(refused)).then_some(found)
}

/// There are none: what no Secret is for is asked for anonymously.
#[cfg(any(test, feature = "testing"))]
pub struct NoAmbientCredentials;

#[cfg(any(test, feature = "testing"))]
#[async_trait]
impl AmbientCredentials for NoAmbientCredentials {
    async fn for_host(&self, _host: &str) -> Result<Option<Credentials>, String> {
        Ok(None)
    }
}

/// Several places, of which the first that has credentials for a registry counts.
pub struct FirstOf(pub Vec<Box<dyn AmbientCredentials>>);

#[async_trait]
impl AmbientCredentials for FirstOf {
    /// # Errors
    /// What was wrong with the first place that failed, when no other has any.
    async fn for_host(&self, host: &str) -> Result<Option<Credentials>, String> {
        let mut problem = None;
        for place in &self.0 {
            match place.for_host(host).await {
                Ok(Some(credentials)) => return Ok(Some(credentials)),
                Ok(None) => {}
                Err(error) => problem = problem.or(Some(error)),
            }
        }
        problem.map_or(Ok(None), Err)
    }

    async fn forget(&self, refused: &Credentials) -> bool {
        let mut came_from_here = false;
        for place in &self.0 {
            came_from_here |= place.forget(refused).await;
        }
        came_from_here
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Place(Result<Option<&'static str>, &'static str>);

    #[async_trait]
    impl AmbientCredentials for Place {
        async fn for_host(&self, host: &str) -> Result<Option<Credentials>, String> {
            let login =
                |name: &str| Credentials { host: host.to_owned(), username: name.to_owned(), password: "".into() };
            self.0.map(|name| name.map(login)).map_err(ToOwned::to_owned)
        }
    }

    async fn asked(places: Vec<Place>) -> Result<Option<String>, String> {
        let places = places.into_iter().map(|place| Box::new(place) as Box<dyn AmbientCredentials>);
        let found = FirstOf(places.collect()).for_host("gcr.io").await?;
        Ok(found.map(|credentials| credentials.username))
    }

    #[tokio::test]
    async fn the_first_place_that_has_some_counts() {
        let places = || vec![Place(Ok(None)), Place(Err("broken")), Place(Ok(Some("one"))), Place(Ok(Some("two")))];
        assert_eq!(asked(places()).await, Ok(Some("one".to_owned())));
    }

    #[tokio::test]
    async fn a_place_that_fails_is_told_when_no_other_has_any() {
        assert_eq!(asked(vec![Place(Err("one")), Place(Ok(None)), Place(Err("two"))]).await, Err("one".to_owned()));
        assert_eq!(asked(vec![Place(Ok(None))]).await, Ok(None));
        assert_eq!(asked(Vec::new()).await, Ok(None));
    }
}
