# The Python module (python/), linked with the engine itself so that a wheel needs no libglint. GLINT_PYTHON: ON, OFF, or AUTO
# (ON where nanobind is for the interpreter of the tests).
if(NOT Python_EXECUTABLE AND NOT SKBUILD AND EXISTS ${CMAKE_SOURCE_DIR}/.venv/bin/python)
  set(Python_EXECUTABLE ${CMAKE_SOURCE_DIR}/.venv/bin/python)
endif()
find_package(Python 3.9 COMPONENTS Interpreter Development.Module)
if(Python_FOUND AND NOT nanobind_ROOT)
  execute_process(COMMAND ${Python_EXECUTABLE} -m nanobind --cmake_dir OUTPUT_STRIP_TRAILING_WHITESPACE
    OUTPUT_VARIABLE nanobind_ROOT ERROR_QUIET)
endif()
find_package(nanobind CONFIG QUIET)
set(GLINT_HAS_PYTHON OFF)
if(nanobind_FOUND)
  set(GLINT_HAS_PYTHON ON)
  nanobind_add_module(glint_python NB_STATIC NOMINSIZE python/module.cpp)
  set_target_properties(glint_python PROPERTIES OUTPUT_NAME _glint
    LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/python/glint)
  target_link_libraries(glint_python PRIVATE glint_c_api)
  target_compile_options(nanobind-static PRIVATE -w)
  # A package to import from the build folder.
  foreach(file __init__.py __init__.pyi py.typed)
    configure_file(python/glint/${file} python/glint/${file} COPYONLY)
  endforeach()
  install(TARGETS glint_python LIBRARY DESTINATION glint COMPONENT python)
elseif(GLINT_PYTHON STREQUAL "ON")
  message(FATAL_ERROR "GLINT_PYTHON=ON: nanobind was not found; install it for ${Python_EXECUTABLE}: pip install nanobind")
endif()
