# Manual pages from man/*.scd, installation, and cpack -G DEB: one package with the tools and their pages.
find_program(SCDOC scdoc REQUIRED)
file(GLOB pages CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/man/*.scd)
foreach(source ${pages})
  get_filename_component(page ${source} NAME_WLE)
  string(REGEX REPLACE ".*\\." "" section ${page})
  set(output ${CMAKE_BINARY_DIR}/man/${page})
  add_custom_command(OUTPUT ${output} DEPENDS ${source}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/man
    COMMAND ${CMAKE_COMMAND} -E env SOURCE_DATE_EPOCH=0 ${SCDOC} < ${source} > ${output})
  list(APPEND built_pages ${output})
  install(FILES ${output} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
endforeach()
add_custom_target(man ALL DEPENDS ${built_pages})

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME lepton)
set(CPACK_PACKAGE_CONTACT "Lepton developers <lepton@localhost>")
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS libsndfile1)  # opened at run time
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_SUGGESTS gnuplot-nox)
set(CPACK_STRIP_FILES ON)
include(CPack)
