//! The image of an earlier revision, where the spec names one.

use super::Observed;
use super::image::{ImagePlan, present};
use crate::app::{Block, Desired, Part, Reason, RevisionRecord};

pub(super) fn plan<'a>(desired: &Desired, observed: &'a Observed) -> ImagePlan<'a> {
    let number = desired.rollback_to.unwrap_or_default();
    let Some(records) = &observed.revisions else {
        let message = format!("the record of revision {number} cannot be read now");
        return ImagePlan::blocked(Block::waiting(Part::Image, Reason::RevisionNotFound, message));
    };
    let own = records.iter().filter(|record| record.owner_uid == desired.owner.uid && record.has_succeeded());
    let name = &desired.owner.name;
    let Some(id) = own.clone().find(|record| record.number() == number).and_then(|record| record.image_id()) else {
        let numbers: Vec<String> = own.map(|record| RevisionRecord::number(record).to_string()).collect();
        let message = format!(
            "spec.rollbackTo: {number} is no revision of {name} that has an image; those that have one are {}",
            if numbers.is_empty() { "none".to_owned() } else { numbers.join(", ") }
        );
        return ImagePlan::blocked(Block::terminal(Part::Image, Reason::RevisionNotFound, message));
    };
    if let Some(image) = observed.images.iter().find(|image| image.id.to_string() == id) {
        return present(image);
    }
    let message = format!(
        "spec.rollbackTo: the image of revision {number}, {id}, is not on the engine {} any more: raise \
         revisionHistoryLimit to keep more of them, and leave rollbackTo out to build or pull",
        desired.engine
    );
    ImagePlan::blocked(Block::terminal(Part::Image, Reason::ImageNotFound, message))
}
