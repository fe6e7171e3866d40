//! Resource models: the grades of nodes, with defaults and order (karmada pkg/apis/cluster/mutation).

use portolan_object::quantity::Quantity as Amount;

use super::{ResourceModel, ResourceModelRange};

const GIB: i64 = 1 << 30;
/// Lower bounds of the grades 0 to 8: cores of CPU, GiB of memory.
const LOWER_BOUNDS: [(i64, i64); 9] =
    [(0, 0), (1, 4), (2, 16), (4, 32), (8, 64), (16, 128), (32, 256), (64, 512), (128, 1024)];

/// The models of a cluster that names none: nine grades of CPU and memory.
pub fn default_resource_models() -> Vec<ResourceModel> {
    let upper = LOWER_BOUNDS[1..].iter().map(|(cores, gib)| (*cores, gib * GIB));
    let upper = upper.chain([(i64::MAX, i64::MAX)]);
    let grade = |(index, ((cores, gib), (max_cores, max_bytes)))| ResourceModel {
        grade: index,
        ranges: vec![
            range("cpu", Amount::from(cores), Amount::from(max_cores)),
            range("memory", Amount::binary(gib * GIB), Amount::binary(max_bytes)),
        ],
    };
    (0..).zip(LOWER_BOUNDS.into_iter().zip(upper)).map(grade).collect()
}

fn range(name: &str, min: Amount, max: Amount) -> ResourceModelRange {
    ResourceModelRange { name: name.to_owned(), min: min.into(), max: max.into() }
}

/// Sorts models by grade. The lowest starts at zero and the highest has no end, whatever they say.
pub fn standardize_resource_models(models: &mut [ResourceModel]) {
    models.sort_by_key(|model| model.grade);
    if let Some(lowest) = models.first_mut() {
        lowest.ranges.iter_mut().for_each(|range| range.min = Amount::from(0).into());
    }
    if let Some(highest) = models.last_mut() {
        highest.ranges.iter_mut().for_each(|range| range.max = Amount::from(i64::MAX).into());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_default_models() {
        let models = serde_json::to_value(default_resource_models()).expect("JSON");
        assert_eq!(models.as_array().map(Vec::len), Some(9));
        let first = json!({ "grade": 0, "ranges": [
            { "name": "cpu", "min": "0", "max": "1" }, { "name": "memory", "min": "0", "max": "4Gi" }] });
        let last = json!({ "grade": 8, "ranges": [
            { "name": "cpu", "min": "128", "max": "9223372036854775807" },
            { "name": "memory", "min": "1Ti", "max": "9223372036854775807" }] });
        assert_eq!((&models[0], &models[8]), (&first, &last));
    }

    #[test]
    fn the_outer_bounds_are_open() {
        let model = |grade, min: i64, max: i64| ResourceModel {
            grade,
            ranges: vec![range("cpu", Amount::from(min), Amount::from(max))],
        };
        let mut models = [model(1, 2, 4), model(0, 1, 2)];
        standardize_resource_models(&mut models);
        assert_eq!(models, [model(0, 0, 2), model(1, 2, i64::MAX)]);
    }
}
