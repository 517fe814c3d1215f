"""Tools on the generated Verilog: lint and FPGA synthesis."""
