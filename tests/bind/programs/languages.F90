! The collectives as Fortran calls them: compiled three times, with mpif.h, the module mpi, and the
! module mpi_f08, which reach the MPI library in different ways. Writes what rank 0 gets, and adds
! up what the others get, to the file that its argument names.
program languages
#if defined(WITH_MPI_F08)
  use mpi_f08
#elif defined(WITH_MPI)
  use mpi
#endif
  implicit none
#if defined(WITH_MPIF_H)
  include 'mpif.h'
#endif
  integer, parameter :: most = 1009
  integer :: rank, ranks, ierror, i, round, n
  integer, allocatable :: integers(:), all_integers(:), got(:), counts(:), places(:)
  real :: reals(most), real_sums(most)
  double precision :: doubles(most), double_sums(most)
  complex :: complexes(most), complex_sums(most)
  logical :: truths(3), all_truths(3)
  character(len=256) :: path

  call get_command_argument(1, path)
  call MPI_Init(ierror)
  call MPI_Comm_rank(MPI_COMM_WORLD, rank, ierror)
  call MPI_Comm_size(MPI_COMM_WORLD, ranks, ierror)
  if (rank == 0) open (unit=9, file=trim(path), status='replace')
  allocate (integers(most * ranks), all_integers(most * ranks), got(most * ranks))
  allocate (counts(ranks), places(ranks))

  do round = 1, 3
    n = merge(1, merge(17, most, round == 2), round == 1)
    integers = [(i * 7 + rank * 1000, i = 1, most * ranks)]
    reals = [(real(i + rank), i = 1, most)]
    doubles = [(dble(i - 2 * rank), i = 1, most)]
    complexes = [(cmplx(i, rank), i = 1, most)]

    call MPI_Allreduce(integers, all_integers, n, MPI_INTEGER, MPI_MAX, MPI_COMM_WORLD, ierror)
    call show('allreduce integer', sum(dble(all_integers(1:n))))
    call MPI_Allreduce(reals, real_sums, n, MPI_REAL, MPI_SUM, MPI_COMM_WORLD, ierror)
    call show('allreduce real', sum(dble(real_sums(1:n))))
    call MPI_Allreduce(MPI_IN_PLACE, doubles, n, MPI_DOUBLE_PRECISION, MPI_SUM, MPI_COMM_WORLD, &
                       ierror)
    call show('allreduce double in place', sum(doubles(1:n)))
    call MPI_Allreduce(complexes, complex_sums, n, MPI_COMPLEX, MPI_SUM, MPI_COMM_WORLD, ierror)
    call show('allreduce complex', sum(dble(real(complex_sums(1:n))) + dble(aimag(complex_sums(1:n)))))
    truths = [rank == 0, .true., rank < ranks]
    call MPI_Allreduce(truths, all_truths, 3, MPI_LOGICAL, MPI_LAND, MPI_COMM_WORLD, ierror)
    call show('allreduce logical', dble(count(all_truths)))
    call MPI_Allreduce(truths, all_truths, 3, MPI_LOGICAL, MPI_LXOR, MPI_COMM_WORLD, ierror)
    call show('allreduce logical exclusive', dble(count(all_truths) + merge(4, 0, all_truths(1))))
    call MPI_Reduce(truths, all_truths, 3, MPI_LOGICAL, MPI_LOR, 0, MPI_COMM_WORLD, ierror)
    call show('reduce logical', dble(count(all_truths .eqv. .true.)))
    call MPI_Allreduce(integers, all_integers, n, MPI_INTEGER, MPI_BXOR, MPI_COMM_WORLD, ierror)
    call show('allreduce bits', sum(dble(all_integers(1:n))))
    call MPI_Scan(integers, got, n, MPI_INTEGER, MPI_BOR, MPI_COMM_WORLD, ierror)
    call show('scan bits', sum(dble(got(1:n))))

    double_sums = 0
    doubles = [(dble(i - 2 * rank), i = 1, most)]
    call MPI_Reduce(doubles, double_sums, n, MPI_DOUBLE_PRECISION, MPI_MIN, ranks - 1, &
                    MPI_COMM_WORLD, ierror)
    call show('reduce', sum(double_sums(1:n)))
    call MPI_Scan(integers, got, n, MPI_INTEGER, MPI_SUM, MPI_COMM_WORLD, ierror)
    call show('scan', sum(dble(got(1:n))))
    got = 0
    call MPI_Exscan(integers, got, n, MPI_INTEGER, MPI_SUM, MPI_COMM_WORLD, ierror)
    if (rank == 0) got = 0
    call show('exscan', sum(dble(got(1:n))))
    call MPI_Reduce_scatter_block(integers, got, n, MPI_INTEGER, MPI_SUM, MPI_COMM_WORLD, ierror)
    call show('reduce_scatter_block', sum(dble(got(1:n))))
    counts = [(mod(i, 2) * n, i = 1, ranks)]
    call MPI_Reduce_scatter(integers, got, counts, MPI_INTEGER, MPI_SUM, MPI_COMM_WORLD, ierror)
    call show('reduce_scatter', sum(dble(got(1:counts(rank + 1)))))

    got = integers
    call MPI_Bcast(got, n, MPI_INTEGER, 0, MPI_COMM_WORLD, ierror)
    call show('bcast', sum(dble(got(1:n))))
    call MPI_Allgather(integers, n, MPI_INTEGER, got, n, MPI_INTEGER, MPI_COMM_WORLD, ierror)
    call show('allgather', sum(dble(got(1:n * ranks))))
    got = integers
    call MPI_Allgather(MPI_IN_PLACE, 0, MPI_INTEGER, got, n, MPI_INTEGER, MPI_COMM_WORLD, ierror)
    call show('allgather in place', sum(dble(got(1:n * ranks))))
    call MPI_Alltoall(integers, n, MPI_INTEGER, got, n, MPI_INTEGER, MPI_COMM_WORLD, ierror)
    call show('alltoall', sum(dble(got(1:n * ranks))))
    got = 0
    call MPI_Gather(integers, n, MPI_INTEGER, got, n, MPI_INTEGER, 0, MPI_COMM_WORLD, ierror)
    call show('gather', sum(dble(got(1:n * ranks))))
    call MPI_Scatter(integers, n, MPI_INTEGER, got, n, MPI_INTEGER, 0, MPI_COMM_WORLD, ierror)
    call show('scatter', sum(dble(got(1:n))))

    counts = n
    places = [((ranks - i) * n, i = 1, ranks)]
    call MPI_Allgatherv(integers, n, MPI_INTEGER, got, counts, places, MPI_INTEGER, &
                        MPI_COMM_WORLD, ierror)
    call show('allgatherv', sum(dble(got(1:n * ranks)) * [(mod(i, 5), i = 1, n * ranks)]))
    got = 0
    call MPI_Gatherv(integers, n, MPI_INTEGER, got, counts, places, MPI_INTEGER, 0, &
                     MPI_COMM_WORLD, ierror)
    call show('gatherv', sum(dble(got(1:n * ranks)) * [(mod(i, 5), i = 1, n * ranks)]))
    call MPI_Scatterv(integers, counts, places, MPI_INTEGER, got, n, MPI_INTEGER, 0, &
                      MPI_COMM_WORLD, ierror)
    call show('scatterv', sum(dble(got(1:n))))
    call MPI_Alltoallv(integers, counts, places, MPI_INTEGER, got, counts, places, MPI_INTEGER, &
                       MPI_COMM_WORLD, ierror)
    call show('alltoallv', sum(dble(got(1:n * ranks)) * [(mod(i, 5), i = 1, n * ranks)]))
    call MPI_Barrier(MPI_COMM_WORLD, ierror)
  end do
  if (rank == 0) close (9)
  call MPI_Finalize(ierror)

contains

  subroutine show(what, value)
    character(len=*), intent(in) :: what
    double precision, intent(in) :: value
    double precision :: mine(1), others(1)
    mine(1) = value * (rank + 1)
    call MPI_Reduce(mine, others, 1, MPI_DOUBLE_PRECISION, MPI_SUM, 0, MPI_COMM_WORLD, ierror)
    if (rank == 0) write (9, '(a, i6, 2(a, f24.1))') what, n, ': ', value, ', ', others(1)
  end subroutine show

end program languages
