//! Who refers to whom in one view: an object that plays a part in a permitted change may play no other.

use std::collections::{BTreeMap, BTreeSet};

use super::fault::Checked;
use super::file::File;

/// The references of all objects of a view.
pub(super) struct References {
    /// For each number that is referred to, the numbers of the objects that do, with repetition.
    by_target: BTreeMap<u32, Vec<u32>>,
}

impl References {
    /// Reads every object of the view; one that cannot be read ends the comparison.
    pub(super) fn of(file: &File<'_>, view: usize) -> Checked<Self> {
        let mut by_target: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (number, section) in file.numbers(view) {
            let object = file.object(section, number)?;
            object.references(&mut |target| by_target.entry(target).or_default().push(number));
        }
        Ok(Self { by_target })
    }

    /// Whether anything refers to the number.
    pub(super) fn has(&self, number: u32) -> bool {
        self.by_target.contains_key(&number)
    }

    /// Whether `owner` refers to the number once, and nothing else does.
    pub(super) fn only(&self, number: u32, owner: u32) -> bool {
        self.by_target.get(&number).is_none_or(|it| it[..] == [owner])
    }

    /// Whether all that refer to the number are among these.
    pub(super) fn within(&self, number: u32, owners: &BTreeSet<u32>) -> bool {
        self.by_target.get(&number).is_none_or(|it| it.iter().all(|it| owners.contains(it)))
    }
}
