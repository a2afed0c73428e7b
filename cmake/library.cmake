# The library for other programs: libglint.so and libglint.a, which show the C API (include/glint/glint.h) and nothing else,
# with what `find_package(glint)` and pkg-config need. `cmake --install BUILD --component library --prefix DIR`.
glint_layer(c_api glint_engine)
target_include_directories(glint_c_api PUBLIC ${CMAKE_SOURCE_DIR}/include)
target_compile_definitions(glint_c_api PRIVATE GLINT_VERSION="${PROJECT_VERSION}")
glint_precompile(glint_c_api ${GLINT_JSON_HEADER})

set(library_layers base tensor json gguf text grammar backend cpu model cuda make_backend engine c_api)
add_library(libglint SHARED cmake/library.map)
set_target_properties(libglint PROPERTIES OUTPUT_NAME glint SOVERSION 1 VERSION 1.0.0 LINKER_LANGUAGE CXX
  LINK_DEPENDS ${CMAKE_SOURCE_DIR}/cmake/library.map)
target_link_libraries(libglint PRIVATE -Wl,--whole-archive glint_c_api -Wl,--no-whole-archive)
# Templates of the standard library show themselves unless told not to.
target_link_options(libglint PRIVATE -Wl,--version-script=${CMAKE_SOURCE_DIR}/cmake/library.map)
target_include_directories(libglint INTERFACE $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/include> $<INSTALL_INTERFACE:include>)

# All layers in one archive. Whoever links it links what they use as well: the configuration says so.
set(library_objects "")
foreach(layer ${library_layers})
  get_target_property(type glint_${layer} TYPE)
  if(type STREQUAL "STATIC_LIBRARY")
    list(APPEND library_objects $<TARGET_OBJECTS:glint_${layer}>)
  endif()
endforeach()
add_library(libglint_static STATIC EXCLUDE_FROM_ALL ${library_objects})
set_target_properties(libglint_static PROPERTIES OUTPUT_NAME glint LINKER_LANGUAGE CXX)
add_custom_target(library DEPENDS libglint libglint_static)

include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
# From lib/cmake/glint back to the prefix, however deep the library folder lies.
file(RELATIVE_PATH glint_up /prefix/${CMAKE_INSTALL_LIBDIR}/cmake/glint /prefix)
file(RELATIVE_PATH glint_up_from_pkgconfig /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
configure_file(cmake/glint.pc.in glint.pc @ONLY)
configure_file(cmake/glint-config.cmake.in glint-config.cmake @ONLY)
write_basic_package_version_file(glint-config-version.cmake COMPATIBILITY SameMajorVersion)
install(TARGETS libglint LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library)
install(FILES $<TARGET_FILE:libglint_static> DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library OPTIONAL)
install(FILES include/glint/glint.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/glint COMPONENT library)
install(FILES ${CMAKE_BINARY_DIR}/glint.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT library)
install(FILES ${CMAKE_BINARY_DIR}/glint-config.cmake ${CMAKE_BINARY_DIR}/glint-config-version.cmake
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/glint COMPONENT library)
