"""Document every diagnostic code: what it means and what usually mends it."""

from __future__ import annotations

CODES: dict[str, str] = {
    # reading
    "KG101": "The file does not exist or cannot be opened. Check the path and its permissions.",
    "KG102": "The file is not a Keras model: not HDF5, not a .keras archive, or cut off in the middle.",
    "KG103": "Weights lack their architecture, or it lacks them. Save the whole model: model.save('model.keras').",
    "KG104": "A SavedModel folder was given. Load it in the Keras that wrote it and save it as .h5 or .keras.",
    "KG105": "A layer class is unknown to kgenn, custom, or a Lambda; no code from a model file is ever run.",
    "KG106": "A layer's weight arrays are missing, too many, misshapen or not finite.",
    "KG107": "A layer's configuration lacks an entry or has a value kgenn does not know.",
    "KG108": "The layers' connections are malformed: a missing, cyclic or duplicate layer, or an odd call.",
    "KG109": "The model leaves a size of its input open. Give the shape of a sample: --input-shape 64,64,3.",
    "KG110": "The model asks for more layers, weights, values, operations or memory than kgenn reads. Split it.",
    "KG111": "A layer is recurrent, or looks values up in a table; kgenn reads feed-forward networks of values.",
    "KG112": "The input shape contradicts the model's own, or the model has several inputs and leaves sizes open.",
    # constraints
    "KG201": "A layer has a bias. Retrain with use_bias=False, or pass --allow bias.",
    "KG202": "An activation is not ReLU. Retrain with ReLU, or allow `activation`: straight pieces stand for it.",
    "KG203": "A pooling layer is not average pooling. Retrain with average pooling, or pass --allow max-pool.",
    "KG204": "A layer is a batch normalisation. Pass --allow batch-norm to fold it.",
    "KG205": "A ReLU has a cap (max_value). Pass --allow relu-cap.",
    "KG206": "Padding is neither 'valid' nor 'same'. Pass --allow zero-padding for explicit zero padding.",
    "KG207": "The converter cannot represent a feature of the model exactly, even if it is allowed.",
    "KG209": "The model has no input, or no output; a network has at least one of each.",
    "KG210": "A ReLU has no cap, which the converter takes its scale from. Train with capped ReLUs.",
    "KG211": "A layer multiplies activations by each other, or normalises them. Allow `product` for that.",
    # lowering
    "KG301": "A layer is left after lowering that no connection can represent.",
    "KG302": "A readout that counts spikes cannot give the values that the final activation needs.",
    # conversion
    "KG401": "An option has an unknown name or a value out of its range.",
    "KG402": "The calibration data are missing, empty, of the wrong shape, or give values that are not finite.",
    "KG403": "A layer's activation is zero on the whole calibration set, so it has no scale.",
    "KG404": "The weights of a population do not fit the exact integer grid.",
    "KG405": "No number of timesteps up to the most allowed reaches the loss that --timesteps auto is to keep.",
    "KG450": "The model scales its input itself, and the calibration data are scaled already. Pass raw data.",
    "KG451": "The calibration data are raw pixels, which no layer at the model's input scales. Pass a scale.",
    "KG452": "The calibration set is too small for the scales of single channels, or for bias corrections.",
    "KG453": "The network disagrees with its model on calibration samples more than its method explains.",
    "KG454": "The network could not be compared with its model on calibration samples.",
    # plug-ins
    "KG420": "A plug-in cannot be used: it cannot be imported, or is not what its entry point says.",
    # export
    "KG410": "The network has something that a NIR graph cannot hold.",
    "KG411": "The network has something that mlGeNN cannot hold.",
    # backend and toolchain
    "KG501": "No C++ compiler was found. Install g++ or clang++, or set CXX to one.",
    "KG502": "The compiler failed on the generated sources.",
    "KG503": "The target is unknown.",
    "KG504": "A compiled library could not be loaded.",
    "KG505": "The interpreter has no pygenn, or an old one, or one without the backend. Install GeNN.",
    "KG506": "GeNN failed to build or run the network; the end of its log is shown.",
    "KG507": "There is no CUDA device. Run with the target genn-cpu or cpu; they give the same spikes.",
    "KG510": "No CUDA compiler was found. Install the CUDA toolkit, or set NVCC to its nvcc.",
    "KG508": "A command or a format needs a package that is not installed, such as nir for NIR.",
    # running
    "KG601": "The data file is missing, unreadable, or lacks an array.",
    "KG602": "The data do not have the shape the network expects.",
    "KG603": "Input values lie outside the encoder's range.",
    "KG604": "Integer pixels were given without a scale. Pass --scale 1/255, or what the model was trained on.",
    "KG605": "The directory is not the output of kgenn compile, or was written by another version.",
    "KG606": "A file or directory could not be written.",
    "KG608": "The program ran out of memory. Use fewer threads or a smaller batch.",
    "KG609": "The system refused what kgenn needs to work: room for temporary files, a process, an open file.",
    "KG610": "The CUDA device failed while it ran the program; what the driver says of it is shown.",
    "KG607": "Labels are missing, of the wrong number, or not classes of the network.",
    "KG650": "The data of a run are on another scale than the calibration data, or move other input channels.",
    "KG651": "A scale enlarges data that exceed 1, or shrinks data that do not. Pass the scale of the training.",
    # verifying
    "KG640": "A file of an output directory was changed, removed or added. Compile again, unless it is meant.",
    "KG641": "An output directory has no checksums or no samples to verify it by: another version wrote it.",
    "KG642": "The samples of an output directory give other spikes or scores than the NumPy reference gave.",
    # sweeps
    "KG620": "A benchmark configuration cannot be read, or has an unknown key or a value that does not fit.",
    "KG621": "A model or a data set that a configuration names was not found. Pass --models or --data.",
    "KG622": "The results directory is in use by another kgenn bench, damaged, or holds something else.",
    "KG623": "A cell of a sweep ended without a result: its process died, or kgenn has a fault.",
    "KG624": "The Dask scheduler does not answer.",
    "KG630": "The directory is not the output of kgenn bench: it has no sweep.json, or no finished cell.",
    "KG631": "What kgenn bench wrote is damaged, or of another version's schema.",
}
