# Fails where CMake is older than CMakeLists.txt asks for.
cmake_minimum_required(VERSION 3.25)
