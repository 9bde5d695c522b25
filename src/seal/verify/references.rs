//! Who refers to whom in one view: an object that plays a part in a permitted change may play no other.

use std::collections::BTreeSet;

use super::fault::Checked;
use super::file::File;

/// The references of all objects of a view.
pub(super) struct References {
    /// What is referred to and by whom, in order, with repetition.
    pairs: Vec<(u32, u32)>,
}

impl References {
    /// Reads every object of the view; one that cannot be read ends the comparison.
    pub(super) fn of(file: &File<'_>, view: usize) -> Checked<Self> {
        let mut pairs = Vec::new();
        for (number, section) in file.numbers(view) {
            let object = file.object(section, number)?;
            object.references(&mut |target| pairs.push((target, number)));
        }
        pairs.sort_unstable();
        Ok(Self { pairs })
    }

    /// Whether anything refers to the number.
    pub(super) fn has(&self, number: u32) -> bool {
        !self.to(number).is_empty()
    }

    /// Whether `owner` refers to the number once, and nothing else does.
    pub(super) fn only(&self, number: u32, owner: u32) -> bool {
        matches!(self.to(number), [] | [_]) && self.to(number).iter().all(|it| it.1 == owner)
    }

    /// Whether all that refer to the number are among these.
    pub(super) fn within(&self, number: u32, owners: &BTreeSet<u32>) -> bool {
        self.to(number).iter().all(|it| owners.contains(&it.1))
    }

    fn to(&self, number: u32) -> &[(u32, u32)] {
        let start = self.pairs.partition_point(|it| it.0 < number);
        let size = self.pairs[start..].partition_point(|it| it.0 == number);
        &self.pairs[start..start + size]
    }
}
