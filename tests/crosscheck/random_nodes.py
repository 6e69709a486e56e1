"""The table of random nodes: one row per operator and family, from the random_nodes_*.py modules."""
import random_nodes_chain
import random_nodes_contrib
import random_nodes_control
import random_nodes_elementwise
import random_nodes_image
import random_nodes_index
import random_nodes_ml
import random_nodes_quantized
import random_nodes_reduce
import random_nodes_shape
import random_nodes_window

MODULES = (random_nodes_elementwise, random_nodes_reduce, random_nodes_shape, random_nodes_index, random_nodes_window,
           random_nodes_image, random_nodes_quantized, random_nodes_chain, random_nodes_contrib,
           random_nodes_control, random_nodes_ml)
TABLE = [row for module in MODULES for row in module.TABLE]
