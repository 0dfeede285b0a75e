! Every collective × form × predefined type and operation of Fortran × count × in place or not, as
! Fortran calls them: compiled three times, with mpif.h, the module mpi, and the module mpi_f08.
! Writes what each rank gets to the file that its first argument names; the same program under plain
! MPI says what that ought to be.
!
! usage: forms FILE [some]; some: one count in all forms, the others only blocking, for MPIs that
! take milliseconds for a call

#if defined(WITH_MPI_F08)
#define HANDLE(kind) type(kind)
#define RAW(handle) handle%MPI_VAL
#else
#define HANDLE(kind) integer
#define RAW(handle) handle
#endif

! Persistent collectives are an extension of Open MPI 4.1, and MPI's own since version 4.
#if defined(WITH_EXTENSION)
#define PERSISTENT(name) MPIX_/**/name/**/_init
#else
#define PERSISTENT(name) MPI_/**/name/**/_init
#endif

! What a call is about, so that it needs no more than its buffers.
module shared
  use, intrinsic :: iso_c_binding
#if defined(WITH_MPI_F08)
  use mpi_f08
#if defined(WITH_EXTENSION)
  use mpi_f08_ext
#endif
#elif defined(WITH_MPI)
  use mpi
#if defined(WITH_EXTENSION)
  use mpi_ext
#endif
#endif
  implicit none
#if defined(WITH_MPIF_H)
  include 'mpif.h'
#if defined(WITH_EXTENSION)
  include 'mpif-ext.h'
#endif
#endif
  integer, parameter :: blocking = 0, nonblocking = 1, persistent = 2
  integer, parameter :: root = 0, most_extent = 32
  integer :: form = blocking
  integer :: rank, ranks, ierror, n
  integer, allocatable :: send(:), receive(:), counts(:), places(:)
  HANDLE(MPI_Datatype) :: type
  HANDLE(MPI_Op) :: op

  interface
    integer(c_int) function typed_fits(type, op) bind(C)
      import
      integer(c_int), value :: type, op
    end function
    subroutine typed_fill(type, op, data, count, rank) bind(C)
      import
      integer(c_int), value :: type, op, count, rank
      integer(c_int) :: data(*)
    end subroutine
    subroutine typed_show(call, type, op, count, form, data, elements) bind(C)
      import
      character(kind=c_char) :: call(*)
      integer(c_int), value :: type, op, count, form, elements
      integer(c_int) :: data(*)
    end subroutine
    subroutine typed_write(path) bind(C)
      import
      character(kind=c_char) :: path(*)
    end subroutine
  end interface

contains

  subroutine complete(request)
    HANDLE(MPI_Request), intent(inout) :: request
    if (form == persistent) call MPI_Start(request, ierror)
    call MPI_Wait(request, MPI_STATUS_IGNORE, ierror)
    if (form == persistent) call MPI_Request_free(request, ierror)
  end subroutine complete

  ! So many elements of this rank to send, or, in place, where the result comes.
  subroutine begin(how, elements)
    character(len=*), intent(in) :: how
    integer, intent(in) :: elements
    call typed_fill(RAW(type), RAW(op), send, elements, rank)
    receive(1:elements * most_extent / 4) = 0
    if (how /= '') call typed_fill(RAW(type), RAW(op), receive, elements, rank)
  end subroutine begin

  subroutine show(call, how, elements)
    character(len=*), intent(in) :: call, how
    integer, intent(in) :: elements
    call typed_show(call // how // c_null_char, RAW(type), RAW(op), n, form, receive, elements)
  end subroutine show

end module shared

! The calls, outside of any module so that a buffer may be MPI_IN_PLACE, which is a single number.
#define CALL(name) \
subroutine call_/**/name(from, to); \
  use shared; \
  implicit none; \
  integer :: from(*), to(*); \
  HANDLE(MPI_Request) :: request; \
  select case (form); \
  case (blocking); call MPI_/**/name(ARGUMENTS, ierror); \
  case (nonblocking); call MPI_I/**/name(ARGUMENTS, request, ierror); call complete(request); \
  case (persistent); call PERSISTENT(name)(ARGUMENTS, MPI_INFO_NULL, request, ierror); \
    call complete(request); \
  end select; \
end subroutine

#define ARGUMENTS from, to, n, type, op, MPI_COMM_WORLD
CALL(allreduce)
CALL(scan)
CALL(exscan)
CALL(reduce_scatter_block)
#undef ARGUMENTS
#define ARGUMENTS from, to, counts, type, op, MPI_COMM_WORLD
CALL(reduce_scatter)
#undef ARGUMENTS
#define ARGUMENTS from, to, n, type, op, root, MPI_COMM_WORLD
CALL(reduce)
#undef ARGUMENTS
#define ARGUMENTS to, n, type, ranks - 1, MPI_COMM_WORLD
CALL(bcast)
#undef ARGUMENTS
#define ARGUMENTS from, n, type, to, n, type, MPI_COMM_WORLD
CALL(allgather)
CALL(alltoall)
#undef ARGUMENTS
#define ARGUMENTS from, n, type, to, n, type, root, MPI_COMM_WORLD
CALL(gather)
CALL(scatter)
#undef ARGUMENTS
#define ARGUMENTS from, counts(rank + 1), type, to, counts, places, type, MPI_COMM_WORLD
CALL(allgatherv)
#undef ARGUMENTS
#define ARGUMENTS from, counts(rank + 1), type, to, counts, places, type, root, MPI_COMM_WORLD
CALL(gatherv)
#undef ARGUMENTS
#define ARGUMENTS from, counts, places, type, to, counts(rank + 1), type, root, MPI_COMM_WORLD
CALL(scatterv)
#undef ARGUMENTS
#define ARGUMENTS from, counts, places, type, to, counts, places, type, MPI_COMM_WORLD
CALL(alltoallv)
#undef ARGUMENTS
#define ARGUMENTS MPI_COMM_WORLD
CALL(barrier)
#undef ARGUMENTS

! `given`: send, or MPI_IN_PLACE.
subroutine reduce_all_ways(given, how)
  use shared
  implicit none
  integer :: given(*)
  character(len=*), intent(in) :: how
  integer :: r
  call begin(how, n)
  call call_allreduce(given, receive)
  call show('allreduce', how, n)
  call begin(how, n)
  call call_scan(given, receive)
  call show('scan', how, n)
  call begin(how, n)
  call call_exscan(given, receive)
  call show('exscan', how, merge(n, 0, rank > 0))
  call begin(how, n)
  if (rank /= root .and. how /= '') then
    call call_reduce(send, receive)
  else
    call call_reduce(given, receive)
  end if
  call show('reduce', how, merge(n, 0, rank == root))
  call begin(how, n * ranks)
  call call_reduce_scatter_block(given, receive)
  call show('reduce_scatter_block', how, n)
  counts = [(merge(n, 0, mod(r, 2) == 0), r = 0, ranks - 1)]
  call begin(how, sum(counts))
  call call_reduce_scatter(given, receive)
  call show('reduce_scatter', how, counts(rank + 1))
end subroutine reduce_all_ways

subroutine move_all_ways(given, how)
  use shared
  implicit none
  integer :: given(*)
  character(len=*), intent(in) :: how
  call begin('receive', n)
  call call_bcast(send, receive)
  call show('bcast', how, n)
  call begin(how, n * ranks)
  call call_allgather(given, receive)
  call show('allgather', how, n * ranks)
  call begin(how, n * ranks)
  call call_alltoall(given, receive)
  call show('alltoall', how, n * ranks)
  call begin(how, n * ranks)
  if (rank /= root) then
    call call_gather(send, receive)
  else
    call call_gather(given, receive)
  end if
  call show('gather', how, merge(n * ranks, 0, rank == root))
  call begin('', n * ranks)
  if (rank /= root .or. how == '') then
    call call_scatter(send, receive)
  else
    call call_scatter(send, given)
  end if
  call show('scatter', how, n)
end subroutine move_all_ways

! Rank r has n + r elements, and the blocks lie in descending order.
subroutine move_uneven(given, how)
  use shared
  implicit none
  integer :: given(*)
  character(len=*), intent(in) :: how
  integer :: r, all
  counts = [(n + r, r = 0, ranks - 1)]
  places = [(sum(counts(r + 1:ranks)), r = 1, ranks)]
  all = sum(counts)
  call begin(how, all)
  call call_allgatherv(given, receive)
  call show('allgatherv', how, all)
  call begin(how, all)
  if (rank /= root) then
    call call_gatherv(send, receive)
  else
    call call_gatherv(given, receive)
  end if
  call show('gatherv', how, merge(all, 0, rank == root))
  call begin('', all)
  if (rank /= root .or. how == '') then
    call call_scatterv(send, receive)
  else
    call call_scatterv(send, given)
  end if
  call show('scatterv', how, counts(rank + 1))
  ! Here rank r sends n + mod(r + s, 2) elements to rank s.
  counts = [(n + mod(r + rank, 2), r = 0, ranks - 1)]
  places = [(sum(counts(r + 1:ranks)), r = 1, ranks)]
  call begin(how, sum(counts))
  call call_alltoallv(given, receive)
  call show('alltoallv', how, sum(counts))
end subroutine move_uneven

program forms
  use shared
  implicit none

  integer, parameter :: numbers(4) = [0, 1, 17, 20011], prime = 17
  HANDLE(MPI_Datatype) :: types(25)
  HANDLE(MPI_Op) :: ops(12)
  integer :: t, o, c, most, last
  logical :: is_some
  character(len=256) :: path, word

  call get_command_argument(1, path)
  call get_command_argument(2, word)
  is_some = word == 'some'
  call MPI_Init(ierror)
  call MPI_Comm_rank(MPI_COMM_WORLD, rank, ierror)
  call MPI_Comm_size(MPI_COMM_WORLD, ranks, ierror)
  types = [MPI_INTEGER, MPI_INTEGER1, MPI_INTEGER2, MPI_INTEGER4, MPI_INTEGER8, MPI_REAL, &
           MPI_REAL4, MPI_REAL8, MPI_DOUBLE_PRECISION, MPI_COMPLEX, MPI_COMPLEX8, MPI_COMPLEX16, &
           MPI_DOUBLE_COMPLEX, MPI_LOGICAL, MPI_CHARACTER, MPI_BYTE, MPI_PACKED, MPI_AINT, &
           MPI_OFFSET, MPI_COUNT, MPI_2INTEGER, MPI_2REAL, MPI_2DOUBLE_PRECISION, MPI_REAL16, &
           MPI_COMPLEX32]
  ops = [MPI_SUM, MPI_PROD, MPI_MIN, MPI_MAX, MPI_LAND, MPI_LOR, MPI_LXOR, MPI_BAND, MPI_BOR, &
         MPI_BXOR, MPI_MINLOC, MPI_MAXLOC]
  most = (numbers(4) + ranks) * ranks * most_extent / 4
  allocate (send(most), receive(most), counts(ranks), places(ranks))

  do t = 1, size(types)
    type = types(t)
    do c = 1, size(numbers)
      n = numbers(c)
      last = merge(blocking, persistent, is_some .and. n /= prime)
      do form = blocking, last
        op = MPI_SUM
        call move_all_ways(send, '')
        call move_all_ways(MPI_IN_PLACE, ' in place')
        call move_uneven(send, '')
        call move_uneven(MPI_IN_PLACE, ' in place')
        do o = 1, size(ops)
          op = ops(o)
          if (typed_fits(RAW(type), RAW(op)) == 0) cycle
          call reduce_all_ways(send, '')
          call reduce_all_ways(MPI_IN_PLACE, ' in place')
        end do
        call call_barrier(send, receive)
      end do
    end do
  end do
  call typed_write(trim(path) // c_null_char)
  call MPI_Finalize(ierror)
end program forms
