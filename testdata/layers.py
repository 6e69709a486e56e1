"""Layers of small networks in numpy: forward, backward, and their ONNX form.

Every layer has forward(x, training), backward(dy) -> dx, parameters() -> [(value, gradient)], and
export(graph, x) -> name of its output, where `graph` is an onnx_graph.OnnxGraph. Images are NCHW.
"""
import numpy as np


class Layer:
    def parameters(self):
        return []


class Conv(Layer):
    """Convolution without bias; groups is 1 or, for a depthwise one, the number of channels."""

    def __init__(self, rng, name, inputs, outputs, kernel=3, stride=1, depthwise=False):
        self.name, self.kernel, self.stride, self.depthwise = name, kernel, stride, depthwise
        self.groups = inputs if depthwise else 1
        per_group = inputs // self.groups
        bound = np.sqrt(2.0 / (per_group * kernel * kernel))
        self.weight = rng.normal(0, bound, (outputs, per_group, kernel, kernel)).astype(np.float32)
        self.gradient = np.zeros_like(self.weight)

    def windows(self, x):
        view = np.lib.stride_tricks.sliding_window_view(x, (self.kernel, self.kernel), (2, 3))
        return view[:, :, ::self.stride, ::self.stride]

    def forward(self, x, training):
        pad = self.kernel // 2
        self.padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
        columns = self.windows(self.padded)  # [N, C, H, W, k, k]
        if self.depthwise:
            return np.einsum("nchwij,cij->nchw", columns, self.weight[:, 0], optimize=True)
        y = np.tensordot(columns, self.weight, ((1, 4, 5), (1, 2, 3)))  # [N, H, W, M]
        return np.ascontiguousarray(y.transpose(0, 3, 1, 2))

    def backward(self, dy):
        columns = self.windows(self.padded)
        if self.depthwise:
            self.gradient[:, 0] = np.einsum("nchwij,nchw->cij", columns, dy, optimize=True)
        else:
            self.gradient[:] = np.tensordot(dy, columns, ((0, 2, 3), (0, 2, 3)))
        dx = np.zeros_like(self.padded)
        height, width = dy.shape[2], dy.shape[3]
        for i in range(self.kernel):
            for j in range(self.kernel):
                if self.depthwise:
                    part = dy * self.weight[None, :, 0, i, j, None, None]
                else:
                    part = np.tensordot(dy, self.weight[:, :, i, j], (1, 0)).transpose(0, 3, 1, 2)
                dx[:, :, i:i + self.stride * height:self.stride,
                   j:j + self.stride * width:self.stride] += part
        pad = self.kernel // 2
        return dx[:, :, pad:dx.shape[2] - pad, pad:dx.shape[3] - pad] if pad else dx

    def parameters(self):
        return [(self.weight, self.gradient)]

    def export(self, graph, x):
        weight = graph.constant(self.name + ".weight", self.weight)
        pad = self.kernel // 2
        return graph.node("Conv", [x, weight], self.name, kernel_shape=[self.kernel] * 2,
                          strides=[self.stride] * 2, pads=[pad] * 4, dilations=[1, 1],
                          group=self.groups)


class BatchNorm(Layer):
    EPSILON = 1e-5

    def __init__(self, name, channels, momentum=0.9):
        self.name, self.momentum = name, momentum
        self.scale, self.bias = np.ones(channels, np.float32), np.zeros(channels, np.float32)
        self.mean, self.var = np.zeros(channels, np.float32), np.ones(channels, np.float32)
        self.scale_gradient, self.bias_gradient = np.zeros_like(self.scale), np.zeros_like(self.bias)

    @staticmethod
    def spread(vector):
        return vector[None, :, None, None]

    def forward(self, x, training):
        mean, var = self.mean, self.var
        if training:
            mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3))
            self.mean = self.momentum * self.mean + (1 - self.momentum) * mean
            self.var = self.momentum * self.var + (1 - self.momentum) * var
        self.inverse = 1 / np.sqrt(var + self.EPSILON)
        self.normal = (x - self.spread(mean)) * self.spread(self.inverse)
        return self.normal * self.spread(self.scale) + self.spread(self.bias)

    def backward(self, dy):
        self.bias_gradient[:] = dy.sum((0, 2, 3))
        self.scale_gradient[:] = (dy * self.normal).sum((0, 2, 3))
        count = dy.size / dy.shape[1]
        centered = (dy - self.spread(self.bias_gradient) / count
                    - self.normal * self.spread(self.scale_gradient) / count)
        return centered * self.spread(self.scale * self.inverse)

    def parameters(self):
        return [(self.scale, self.scale_gradient), (self.bias, self.bias_gradient)]

    def export(self, graph, x):
        names = [graph.constant(f"{self.name}.{key}", value.astype(np.float32))
                 for key, value in (("weight", self.scale), ("bias", self.bias),
                                    ("running_mean", self.mean), ("running_var", self.var))]
        return graph.node("BatchNormalization", [x] + names, self.name, epsilon=self.EPSILON,
                          momentum=self.momentum)


class Relu(Layer):
    """max(x, 0), and min(., limit) where a limit is given (ReLU6, exported as Clip)."""

    def __init__(self, name, limit=None):
        self.name, self.limit = name, limit

    def forward(self, x, training):
        self.passed = (x > 0) if self.limit is None else (x > 0) & (x < self.limit)
        return np.clip(x, 0, self.limit)

    def backward(self, dy):
        return dy * self.passed

    def export(self, graph, x):
        if self.limit is None:
            return graph.node("Relu", [x], self.name)
        bounds = [graph.constant(f"{self.name}.{key}", np.float32(value))
                  for key, value in (("min", 0), ("max", self.limit))]
        return graph.node("Clip", [x] + bounds, self.name)


class GlobalAveragePool(Layer):
    def __init__(self, name):
        self.name = name

    def forward(self, x, training):
        self.shape = x.shape
        return x.mean((2, 3), keepdims=True)

    def backward(self, dy):
        return np.broadcast_to(dy / (self.shape[2] * self.shape[3]), self.shape)

    def export(self, graph, x):
        return graph.node("GlobalAveragePool", [x], self.name)


class Flatten(Layer):
    def __init__(self, name):
        self.name = name

    def forward(self, x, training):
        self.shape = x.shape
        return x.reshape(len(x), -1)

    def backward(self, dy):
        return dy.reshape(self.shape)

    def export(self, graph, x):
        return graph.node("Flatten", [x], self.name, axis=1)


class Dense(Layer):
    def __init__(self, rng, name, inputs, outputs):
        self.name = name
        self.weight = rng.normal(0, np.sqrt(2.0 / inputs), (outputs, inputs)).astype(np.float32)
        self.bias = np.zeros(outputs, np.float32)
        self.weight_gradient, self.bias_gradient = np.zeros_like(self.weight), np.zeros_like(self.bias)

    def forward(self, x, training):
        self.x = x
        return x @ self.weight.T + self.bias

    def backward(self, dy):
        self.weight_gradient[:] = dy.T @ self.x
        self.bias_gradient[:] = dy.sum(0)
        return dy @ self.weight

    def parameters(self):
        return [(self.weight, self.weight_gradient), (self.bias, self.bias_gradient)]

    def export(self, graph, x):
        weight = graph.constant(self.name + ".weight", self.weight)
        bias = graph.constant(self.name + ".bias", self.bias)
        return graph.node("Gemm", [x, weight, bias], self.name, alpha=1.0, beta=1.0, transB=1)


class Sequential(Layer):
    def __init__(self, *layers):
        self.layers = layers

    def forward(self, x, training):
        for layer in self.layers:
            x = layer.forward(x, training)
        return x

    def backward(self, dy):
        for layer in reversed(self.layers):
            dy = layer.backward(dy)
        return dy

    def parameters(self):
        return [p for layer in self.layers for p in layer.parameters()]

    def export(self, graph, x):
        for layer in self.layers:
            x = layer.export(graph, x)
        return x


class Residual(Layer):
    """body(x) + shortcut(x); the shortcut is the identity when there is none."""

    def __init__(self, name, body, shortcut=None):
        self.name, self.body, self.shortcut = name, body, shortcut or Sequential()

    def forward(self, x, training):
        return self.body.forward(x, training) + self.shortcut.forward(x, training)

    def backward(self, dy):
        return self.body.backward(dy) + self.shortcut.backward(dy)

    def parameters(self):
        return self.body.parameters() + self.shortcut.parameters()

    def export(self, graph, x):
        return graph.node("Add", [self.body.export(graph, x), self.shortcut.export(graph, x)],
                          self.name)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


class RowLstm(Layer):
    """An LSTM that reads an image [N, 1, T, I] row by row; its output is the last state [N, H].

    Gates stand in ONNX's order i, o, f, c (Hochreiter and Schmidhuber's equations as in the ONNX
    specification of LSTM, without peepholes).
    """

    def __init__(self, rng, name, inputs, hidden):
        self.name, self.hidden = name, hidden
        bound = 1 / np.sqrt(hidden)
        self.w = rng.uniform(-bound, bound, (4 * hidden, inputs)).astype(np.float32)
        self.r = rng.uniform(-bound, bound, (4 * hidden, hidden)).astype(np.float32)
        self.b = np.zeros(4 * hidden, np.float32)
        self.b[2 * hidden:3 * hidden] = 1  # remember by default
        self.gradients = [np.zeros_like(p) for p in (self.w, self.r, self.b)]

    def forward(self, x, training):
        self.x = x[:, 0].transpose(1, 0, 2)  # [T, N, I]
        h = c = np.zeros((x.shape[0], self.hidden), np.float32)
        self.steps = []
        for row in self.x:
            i, o, f, g = np.split(row @ self.w.T + h @ self.r.T + self.b, 4, axis=1)
            i, o, f, g = sigmoid(i), sigmoid(o), sigmoid(f), np.tanh(g)
            next_c = f * c + i * g
            self.steps.append((row, h, c, i, o, f, g, next_c))
            h, c = o * np.tanh(next_c), next_c
        return h

    def backward(self, dh):
        for gradient in self.gradients:
            gradient[:] = 0
        dc = np.zeros_like(dh)
        dx = np.zeros_like(self.x)
        for t, (row, h, c, i, o, f, g, next_c) in reversed(list(enumerate(self.steps))):
            tanh_c = np.tanh(next_c)
            dc = dc + dh * o * (1 - tanh_c ** 2)
            gates = np.concatenate([dc * g * i * (1 - i), dh * tanh_c * o * (1 - o),
                                    dc * c * f * (1 - f), dc * i * (1 - g ** 2)], axis=1)
            self.gradients[0] += gates.T @ row
            self.gradients[1] += gates.T @ h
            self.gradients[2] += gates.sum(0)
            dx[t], dh, dc = gates @ self.w, gates @ self.r, dc * f
        return dx.transpose(1, 0, 2)[:, None]

    def parameters(self):
        return list(zip((self.w, self.r, self.b), self.gradients))

    def export(self, graph, x):
        rows = graph.node("Squeeze", [x, graph.constant("channel_axis", np.array([1], np.int64))],
                          self.name + ".rows")
        steps = graph.node("Transpose", [rows], self.name + ".steps", perm=[1, 0, 2])
        bias = np.concatenate([self.b, np.zeros_like(self.b)])[None]
        weights = [graph.constant(f"{self.name}.{key}", value) for key, value in
                   (("weight_ih", self.w[None]), ("weight_hh", self.r[None]), ("bias", bias))]
        state = graph.node("LSTM", [steps] + weights, self.name, outputs=["", "_h"],
                           hidden_size=self.hidden)
        axis = graph.constant("direction_axis", np.array([0], np.int64))
        return graph.node("Squeeze", [state, axis], self.name + ".state")
