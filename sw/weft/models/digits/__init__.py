"""A small convolutional network that reads handwritten digits, in int8.

==========================  =====================================================================
``train_digits_cnn``        trains in float, quantises: weights and held-out images
``QuantisedCnn.reference``  int8 in numpy, bit for bit what a device computes
``DigitsCnn``               the network on a device, of any configuration
==========================  =====================================================================
"""

from .network import DigitsCnn
from .quantised import QuantisedCnn, QuantisedConv
from .train import TrainedDigits, train_digits_cnn

__all__ = ["DigitsCnn", "QuantisedCnn", "QuantisedConv", "TrainedDigits", "train_digits_cnn"]
