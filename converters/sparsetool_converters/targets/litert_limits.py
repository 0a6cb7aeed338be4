"""Numbers and names that both sides of LiteRT's table, what is right and what is not, go by."""

# XNNPACK leaves a FULLY_CONNECTED of this version, and of no other, to the builtin kernels, which alone know sparse
# weights (tflite/delegates/xnnpack/xnnpack_delegate.cc:3270 @ f674577).
SPARSE_VERSION = 8

# The ledger of the hybrid kernel holds block columns and the blocks of a row in a uint8 each
# (PopulateLedgerData, tflite/kernels/fully_connected.cc @ f674577).
MAX_COLUMNS = 4096
MAX_BLOCKS_PER_ROW = 255

# ConvertActivationToOutputRange, tflite/delegates/xnnpack/xnnpack_delegate.cc @ f674577
XNNPACK_ACTIVATIONS = ("NONE", "RELU", "RELU_N1_TO_1", "RELU6")
