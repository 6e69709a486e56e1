"""Random nodes of ai.onnx.ml and operators on strings; strings are constants, and each ends in numbers."""
import numpy as np
from onnx import numpy_helper

from random_draw import INTS, ML, Node, rows

WORDS = ["a", "b", "ab", "Ab", "BA", "", "x y", "stop", "Stop"]
TRANSFORMS = ["NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"]


def words(d, shape):
    return d.constant(np.asarray(d.rng.choice(WORDS, shape), dtype=object))


def ml(op, inputs, attributes, outputs=1, types=None):
    return Node(op, inputs, attributes, outputs, ML, types or [np.float32])


def matrix(d, features=None, dtype=np.float32):
    return d.value(dtype, shape=(d.int(1, 4), features or d.int(1, 4)))


def floats(d, count, low=-2, high=2):
    return [float(v) for v in d.array(np.float32, (count,), low, high)]


def binarizer(d, op):
    return ml(op, [d.value(rank=(1, 2))], {"threshold": d.int(-2, 2) / 2})


def feature_vectorizer(d, op):
    rows_ = d.int(1, 3)
    widths = [d.int(1, 3) for _ in range(d.int(1, 3))]
    kind = d.pick((np.float32, np.int64, np.int32, np.float64))
    return ml(op, [d.value(kind, shape=(rows_, w)) for w in widths], {"inputdimensions": widths})


def imputer(d, op):
    x = matrix(d)
    columns = d.pick([1, d.data(x).shape[1]])
    return ml(op, [x], {"imputed_value_floats": floats(d, columns), "replaced_value_float": d.pick([0.0, 1.0, float("nan")])})


def label_encoder(d, op):
    keys = sorted({int(k) for k in d.rng.integers(-4, 5, 4)})
    kind = d.pick(["ints_floats", "floats_ints", "strings_ints"])
    if kind == "ints_floats":
        return ml(op, [d.value(np.int64, rank=(1, 2))], {"keys_int64s": keys, "values_floats": floats(d, len(keys)), "default_float": -1.5})
    if kind == "floats_ints":
        return ml(op, [d.value(rank=(1, 2))], {"keys_floats": [float(k) for k in keys], "values_int64s": keys, "default_int64": 9}, types=[np.int64])
    return ml(op, [words(d, d.shape(1, 2))], {"keys_strings": WORDS[:4], "values_int64s": [3, 1, 4, 1], "default_int64": -5}, types=[np.int64])


def category_mapper(d, op):
    return ml(op, [words(d, d.shape(1, 2))], {"cats_strings": WORDS[:3], "cats_int64s": [5, -2, 7], "default_int64": -1}, types=[np.int64])


def one_hot_encoder(d, op):
    if d.chance(0.3):
        return ml(op, [words(d, d.shape(1, 2))], {"cats_strings": WORDS[:3], "zeros": 1})
    return ml(op, [d.value(np.int64, rank=(1, 2))], {"cats_int64s": [0, 1, -3], "zeros": 1})


def normalizer(d, op):
    return ml(op, [d.add_input(d.array(np.float32, d.shape(1, 2), 1, 4))], {"norm": d.pick(["MAX", "L1", "L2"])})


def scaler(d, op):
    x = matrix(d, dtype=d.pick((np.float32, np.float64, np.int64, np.int32)))
    columns = d.pick([1, d.data(x).shape[1]])
    return ml(op, [x], {"offset": floats(d, columns), "scale": floats(d, columns)})


def linear_regressor(d, op):
    features, targets = d.int(1, 4), d.int(1, 3)
    attributes = {"coefficients": floats(d, features * targets), "targets": targets}
    return ml(op, [matrix(d, features)], attributes | d.optional(intercepts=floats(d, targets)))


def linear_classifier(d, op):
    features, classes = d.int(1, 4), d.int(2, 4)
    return ml(op, [matrix(d, features)], {"coefficients": floats(d, features * classes), "intercepts": floats(d, classes),
                                          "classlabels_ints": [int(v) for v in d.rng.permutation(classes)],
                                          "post_transform": d.pick(TRANSFORMS[:4])}, outputs=2, types=[np.int64, np.float32])


KERNELS = ["LINEAR", "POLY", "RBF", "SIGMOID"]


def svm_regressor(d, op):
    features, supports = d.int(1, 3), d.int(1, 4)
    attributes = {"kernel_type": d.pick(KERNELS), "kernel_params": [0.25, 0.5, 2.0], "n_supports": supports,
                  "coefficients": floats(d, supports), "support_vectors": floats(d, features * supports), "rho": floats(d, 1)}
    return ml(op, [matrix(d, features)], attributes)


def svm_classifier(d, op):
    features, classes = d.int(1, 3), d.int(2, 3)
    per_class = [d.int(1, 2) for _ in range(classes)]
    supports = sum(per_class)
    attributes = {"kernel_type": d.pick(KERNELS), "kernel_params": [0.25, 0.5, 2.0], "vectors_per_class": per_class,
                  "coefficients": floats(d, supports * (classes - 1)), "support_vectors": floats(d, features * supports),
                  "rho": floats(d, classes * (classes - 1) // 2), "classlabels_ints": list(range(classes))}
    if d.chance(0.5):
        pairs = classes * (classes - 1) // 2
        attributes |= {"prob_a": floats(d, pairs), "prob_b": floats(d, pairs)}
    return ml(op, [matrix(d, features)], attributes, outputs=2, types=[np.int64, np.float32])


MODES = ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ"]


def trees(d, features, one_mode):
    """Complete trees of depth 1 to 3: the nodes' attributes, and (tree, node) of each leaf."""
    columns = {k: [] for k in ("treeids", "nodeids", "featureids", "values", "modes", "truenodeids", "falsenodeids",
                               "missing_value_tracks_true")}
    leaves = []
    for tree in range(d.int(1, 3)):
        inner = 2 ** d.int(1, 3) - 1
        for node in range(2 * inner + 1):
            leaf = node >= inner
            leaves += [(tree, node)] if leaf else []
            values = (tree, node, 0 if leaf else d.int(0, features - 1), 0.0 if leaf else floats(d, 1)[0],
                      "LEAF" if leaf else one_mode or d.pick(MODES), 0 if leaf else 2 * node + 1, 0 if leaf else 2 * node + 2,
                      0 if leaf else d.int(0, 1))
            for column, v in zip(columns.values(), values):
                column.append(v)
    return {f"nodes_{k}": v for k, v in columns.items()}, leaves


def tree_regressor(d, op):
    features, targets = d.int(1, 4), d.int(1, 3)
    attributes, leaves = trees(d, features, d.pick(MODES + [None]))
    attributes |= {"n_targets": targets, "target_treeids": [t for t, _ in leaves], "target_nodeids": [n for _, n in leaves],
                   "target_ids": [d.int(0, targets - 1) for _ in leaves], "target_weights": floats(d, len(leaves)),
                   "aggregate_function": d.pick(["SUM", "SUM", "AVERAGE", "MIN", "MAX"])}
    # A target for which no leaf voted is 0 in ONNX Runtime, without its base value.
    return ml(op, [matrix(d, features)], attributes | (d.optional(base_values=floats(d, 1)) if targets == 1 else {}))


def tree_classifier(d, op):
    # Classes for which no leaf voted lose against negative scores in ONNX Runtime, and of two classes
    # with one vote it makes a binary score: three classes at least, and positive votes.
    features, classes = d.int(1, 4), d.int(3, 5)
    attributes, leaves = trees(d, features, d.pick(MODES + [None]))
    attributes |= {"classlabels_int64s": list(range(classes)), "class_treeids": [t for t, _ in leaves],
                   "class_nodeids": [n for _, n in leaves], "class_ids": [d.int(0, classes - 1) for _ in leaves],
                   "class_weights": [abs(w) + 0.125 for w in floats(d, len(leaves))], "post_transform": d.pick(TRANSFORMS[:4])}
    return ml(op, [matrix(d, features)], attributes, outputs=2, types=[np.int64, np.float32])


def tree_ensemble(d, op):
    """Trees of one split each, in the layout of version 5."""
    features, count, targets = d.int(1, 3), d.int(1, 3), d.int(1, 2)
    dtype = d.pick((np.float32, np.float64))
    tensor = lambda values, kind: numpy_helper.from_array(np.asarray(values).astype(kind))
    attributes = {"n_targets": targets, "aggregate_function": d.pick([0, 1, 2, 3]), "post_transform": 0,
                  "tree_roots": list(range(count)), "nodes_featureids": [d.int(0, features - 1) for _ in range(count)],
                  "nodes_splits": tensor(floats(d, count), dtype), "nodes_modes": tensor(d.rng.integers(0, 6, count), np.uint8),
                  "nodes_truenodeids": [2 * i for i in range(count)], "nodes_trueleafs": [1] * count,
                  "nodes_falsenodeids": [2 * i + 1 for i in range(count)], "nodes_falseleafs": [1] * count,
                  "leaf_targetids": [d.int(0, targets - 1) for _ in range(2 * count)], "leaf_weights": tensor(floats(d, 2 * count), dtype)}
    return ml(op, [matrix(d, features, dtype)], attributes, types=[dtype])


def tf_idf(d, op):
    x = d.value(d.pick(INTS), rank=(1, 2))
    lengths = d.int(1, 2)
    attributes = {"mode": d.pick(["TF", "IDF", "TFIDF"]), "min_gram_length": d.int(1, lengths), "max_gram_length": lengths,
                  "max_skip_count": d.int(0, 2), "ngram_counts": [0, 3], "ngram_indexes": [0, 1, 2, 3, 4],
                  "pool_int64s": [-1, 0, 2, 0, 0, 1, 2], "weights": floats(d, 5, 1, 2)}
    return Node(op, [x], attributes)


def equal_to(d, name, shape):
    return Node("Equal", [name, words(d, shape)], types=[np.bool_])


def string_normalizer(d, op):
    count = d.int(1, 5)
    attributes = {"case_change_action": d.pick(["NONE", "LOWER", "UPPER"]), "is_case_sensitive": d.int(0, 1)}
    x = words(d, (count,))
    return equal_to(d, d.node(op, [x], **attributes, **d.optional(stopwords=["stop", "a"])), (1,))


def string_concat(d, op):
    shape = d.shape(1, 2, 3)
    return equal_to(d, d.node(op, [words(d, shape), words(d, d.broadcastable(shape))]), ())


def string_split(d, op):
    # ONNX Runtime splits the empty string into no parts, where a delimiter gives one.
    x = d.constant(np.asarray(d.rng.choice([w for w in WORDS if w], d.shape(1, 2, 3)), dtype=object))
    parts, counts = d.node(op, [x], outputs=2, **d.optional(delimiter=" ", maxsplit=1))
    return Node("Identity", [counts], types=[np.int64]) if d.chance(0.5) else equal_to(d, parts, ())


def regex(d, op):
    return Node(op, [words(d, d.shape(1, 2))], {"pattern": d.pick(["a.*", "[ab]+", "(?i)stop", "\\w*", ".b|x y"])})


TABLE = [
    *rows("Binarizer", binarizer, exact=True, domain=ML), *rows("FeatureVectorizer", feature_vectorizer, exact=True, domain=ML),
    *rows("Imputer", imputer, exact=True, domain=ML), *rows("LabelEncoder", label_encoder, steps=True, domain=ML),
    *rows("CategoryMapper", category_mapper, exact=True, domain=ML), *rows("OneHotEncoder", one_hot_encoder, exact=True, domain=ML),
    *rows("Normalizer", normalizer, domain=ML), *rows("Scaler", scaler, domain=ML), *rows("LinearRegressor", linear_regressor, domain=ML),
    *rows("LinearClassifier", linear_classifier, steps=True, domain=ML), *rows("SVMRegressor", svm_regressor, domain=ML),
    *rows("SVMClassifier", svm_classifier, steps=True, domain=ML), *rows("TreeEnsembleRegressor", tree_regressor, steps=True, domain=ML),
    *rows("TreeEnsembleClassifier", tree_classifier, steps=True, domain=ML), *rows("TreeEnsemble", tree_ensemble, steps=True, domain=ML),
    *rows("TfIdfVectorizer", tf_idf), *rows("StringNormalizer", string_normalizer, exact=True),
    *rows("StringConcat", string_concat, exact=True), *rows("StringSplit", string_split, exact=True),
    *rows("RegexFullMatch", regex, exact=True),
]
