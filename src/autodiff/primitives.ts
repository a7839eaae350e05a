/**
 * @file What derivatives need and ONNX has no operator for, as operators of the private domain "wildmark".
 *
 * Rules emit them, `runtime/lowering` replaces each by standard operators before anything runs: what a derivative is
 * stays apart from how it is computed fast. All shapes are static, so each node carries the shapes its lowering needs.
 *
 * | operator       | inputs    | output | attributes                                                              |
 * | -------------- | --------- | ------ | ----------------------------------------------------------------------- |
 * | Conv           | x, w [, bias] | y  | x_shape, w_shape, y_shape, strides, pads (begins, ends), dilations, group |
 * | ConvGradInput  | dy, w     | dx     | the same                                                                |
 * | ConvGradWeight | x, dy     | dw     | the same                                                                |
 * | MaxPoolGrad    | x, y, dy  | dx     | x_shape, y_shape, kernel_shape, strides, pads, dilations                |
 * | AveragePoolGrad| dy        | dx     | x_shape, y_shape, kernel_shape, strides, pads, dilations, count_include_pad |
 * | ReluGrad       | dy, y     | dx     |                                                                         |
 * | ChannelMean    | x [, y]   | mean   | shape                                                                   |
 * | ChannelCenter  | x, mean   | x'     | shape                                                                   |
 * | ChannelAffine  | x, scale [, shift [, addend]] | y | shape                                                  |
 *
 * `ConvGradInput(dy, w)` is also the forward pass of ConvTranspose, whose own gradients are a Conv and a ConvGradWeight
 * with the roles of input and output exchanged. Ties in MaxPoolGrad: the whole gradient goes to the first maximum in
 * row-major order of the window, as ONNX's own `Indices` output has it.
 *
 * Conv is ONNX's own, with its shapes: a device may have something quicker for some of them. ReluGrad is dy where y >
 * 0, else 0. The Channel operators are what batch normalisation does to images of dimensions `shape` [N, C, …spatial]
 * with one number a channel [C]: the mean of x, or of x · y, over images and positions; x − mean; scale · x + shift +
 * addend.
 */
export const WILDMARK_DOMAIN = "wildmark";
